-- Why a window is not complete, as a word: older rows have it only in their error.
alter table if exists raw.load_windows add column if not exists reason varchar;
alter table if exists raw.load_windows add column if not exists rows_known bigint;
-- A part of the next step: DuckDB does not alter a table that its transaction has updated.
alter table if exists raw.load_windows add column if not exists load_no bigint default 0;

update raw.load_windows
set
    reason = case
        when state = 'partial' then 'short'
        when state = 'failed' then 'other'
        when state = 'unreachable' and error like '%no longer served' then 'expired'
        when state = 'unreachable' then 'not_authorized'
    end
where reason is null and state != 'complete';
