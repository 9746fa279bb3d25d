-- One row per account with a rate card that has an allowance: a call changes the prices of later
-- calls of its month, and the month of a call is not known before its record is read.
select distinct
    vendor,
    account
from config.rate_cards
where allowance > 0
