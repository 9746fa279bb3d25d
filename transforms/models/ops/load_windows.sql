-- One row per reading of a window of a vendor stream.
-- @key vendor, account, stream, window_start, window_end, started_at
-- @accepted state: complete, partial, failed, unreachable
-- @column rows_inside: of rows_distinct those whose own time lies in the window, not in
--     the second more that is asked; NULL where windows go by another time
-- @column rows_vanished: records held that the vendor no longer lists; now marked deleted
-- @column split_of: the window that this is a part of, where one question could not
--     reach all of it; a part's requests and rows are counted there
select
    windows.vendor,
    windows.account,
    windows.stream,
    windows.window_start,
    windows.window_end,
    windows.purpose,
    windows.state,
    windows.rows_fetched,
    windows.rows_distinct,
    windows.rows_inside,
    windows.rows_quarantined,
    windows.vendor_total,
    windows.requests,
    windows.retries,
    windows.rows_vanished,
    windows.split_of,
    windows.attempt,
    windows._dlt_load_id as load_id,
    windows.started_at,
    windows.finished_at,
    windows.error
from raw.load_windows as windows
inner join raw.loads as loads
    on windows.vendor = loads.vendor and windows._dlt_load_id = loads.load_id
where loads.status = 0
