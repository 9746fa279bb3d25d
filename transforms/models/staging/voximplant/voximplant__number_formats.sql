-- One row: how the vendor writes numbers, and users.
select
    true as omits_plus, -- in full, without the plus
    true as has_named_users -- a user's name stands where others have a number
