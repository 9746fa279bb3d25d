-- One row per vendor whose numbers are not written as others write them.
-- A vendor without a <vendor>__number_formats writes a number in full with its plus.
-- @kind union
select
    null::boolean as omits_plus,
    null::boolean as has_named_users
where false
