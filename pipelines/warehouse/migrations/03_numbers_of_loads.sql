-- The number of the load that brought a row: what is newer is decided by it. Older rows
-- have 0, and among them the time decides, as it did when they came.
alter table if exists raw.load_windows add column if not exists load_no bigint default 0;
alter table if exists raw.quarantine add column if not exists load_no bigint default 0;
alter table if exists raw.absences add column if not exists load_no bigint default 0;
alter table if exists raw.account_info add column if not exists load_no bigint default 0;
alter table if exists raw.accounts add column if not exists load_no bigint default 0;
alter table if exists raw.call_sessions add column if not exists load_no bigint default 0;
alter table if exists raw.calls add column if not exists load_no bigint default 0;
alter table if exists raw.engagements add column if not exists load_no bigint default 0;
alter table if exists raw.sessions add column if not exists load_no bigint default 0;
alter table if exists raw.voice_calls add column if not exists load_no bigint default 0;
