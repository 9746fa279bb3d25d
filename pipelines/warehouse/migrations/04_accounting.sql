-- What became of the records of a read: received = stored + unchanged + quarantined. Older
-- reads were not accounted for, so that theirs is NULL, not 0.
alter table if exists raw.load_windows add column if not exists rows_received bigint;
alter table if exists raw.load_windows add column if not exists rows_stored bigint;
alter table if exists raw.load_windows add column if not exists rows_unchanged bigint;
