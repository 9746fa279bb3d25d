-- What a read of a window found inside it, what it lacked, and of which window it is a
-- part. Older reads counted neither, so that theirs is NULL, not 0.
alter table if exists raw.load_windows add column if not exists rows_inside bigint;
alter table if exists raw.load_windows add column if not exists rows_vanished bigint;
alter table if exists raw.load_windows add column if not exists split_of varchar;
