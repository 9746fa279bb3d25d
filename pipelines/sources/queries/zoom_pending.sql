-- Engagements without an amount: a charge is text, and one without digits is none.
select
    account,
    record_id
from latest
where not coalesce(regexp_matches(json_extract_string(payload, '$.charge'), '\d'), false)
