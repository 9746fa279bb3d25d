-- One row per configured rate card: the price of a component of the calls of an account in one
-- direction, of all of them or of those that AI, or people, handled.
-- @former_name main.rate_cards
-- @key vendor, account, direction, component, handled_by, valid_from
-- @nullable handled_by
-- @not_null unit, basis, answered_only, initial, increment, minimum, unit_price, connection_fee
-- @not_null base_cost, allowance, currency, overrides
-- @accepted basis: total, talk, leg
-- @column vendor: its name in the configuration
-- @column account: the account's alias in the configuration
-- @column direction: inbound or outbound
-- @column component: as in fact_call_costs
-- @column handled_by: ai or human: only calls that it handled; NULL = all
-- @column unit: of unit_price and allowance: second, minute or call
-- @column basis: what is measured: total, the whole call (what the vendor billed, else
--     line_seconds of fact_calls); talk, conversation alone (talk_seconds, else ai_seconds, else bot_seconds, and
--     0 of a call that nobody answered); leg, each leg of the call
-- @column answered_only: whether a call, or with leg a leg, that nobody answered costs nothing; one
--     of which that is not known has no cost by the card
-- @column initial: seconds that count as a whole from the first one on, before the increments: a
--     carrier's 20/6 is an initial of 20 and an increment of 6
-- @column increment: seconds; every one that was begun counts
-- @column minimum: seconds that count in any case, but for a call of 0 seconds
-- @column unit_price: price of one unit
-- @column connection_fee: paid once for each call, or with leg each leg, of which anything counts
-- @column base_cost: paid once in a month, and part of no call
-- @column allowance: units of each UTC month that cost nothing
-- @column currency: ISO 4217
-- @column valid_from: first day, in UTC, of the calls it prices
-- @column valid_to: last day; NULL = until further notice
-- @column overrides: whether it counts where the vendor gives a price itself
select
    vendor,
    account,
    direction,
    component,
    handled_by,
    unit,
    basis,
    answered_only,
    initial,
    increment,
    minimum,
    unit_price,
    connection_fee,
    base_cost,
    allowance,
    currency,
    valid_from,
    valid_to,
    overrides
from config.rate_cards
