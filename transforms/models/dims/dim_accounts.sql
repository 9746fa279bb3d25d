-- One row per account of a vendor that is configured or has calls.
-- @key vendor, account
-- @not_null has_rate_card
-- @column vendor: its name in the configuration
-- @column account: the account's alias in the configuration
-- @column currency: ISO 4217, as configured; NULL = the vendor says it, or its usual one
-- @column time_zone: IANA name, as configured, to show its calls by their local hour; NULL = not
--     configured. Times are UTC in every table
-- @column region: ISO 3166-1 alpha-2, as configured, whose national form its phone numbers are read
--     in; NULL = not configured, such numbers stay unread
-- @column has_rate_card: whether configured prices apply to it, today or once
select
    accounts.vendor,
    accounts.account,
    accounts.currency,
    accounts.time_zone,
    accounts.region,
    count(cards.vendor) > 0 as has_rate_card
from config.accounts as accounts
left join config.rate_cards as cards
    on accounts.vendor = cards.vendor and accounts.account = cards.account
group by all
