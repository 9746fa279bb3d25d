-- Let the statistics of a lake have no text of a record: they would stay in Postgres, and in
-- its log, when a person is erased.
create or replace trigger without_texts
before insert or update on {catalog}.ducklake_file_column_stats
for each row execute function callhouse.without_texts();

create or replace trigger without_texts
before insert or update on {catalog}.ducklake_table_column_stats
for each row execute function callhouse.without_texts();
