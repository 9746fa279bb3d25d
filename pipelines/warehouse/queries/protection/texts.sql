-- Each of some texts, and what is shown of it.
select
    written,
    protected_text(written) as shown
from (select unnest(getvariable('texts')::varchar[]) as written) as texts
