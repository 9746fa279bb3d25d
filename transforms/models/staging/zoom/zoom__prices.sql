-- One row per account and text that Zoom sent as a charge or a rate: its amount and
-- currency. That is the account's where nothing or a symbol of that currency stands
-- beside the number. A symbol of one other currency means that currency; an amount with
-- any other symbol has none, so that it is not an amount. `contrary_symbol` has either.
-- @key account, charge
-- @check (amount is null) = (currency is null)
with symbols as (
    select
        symbol,
        list(currency) as currencies
    from seeds.currency_symbols
    group by all
),

written as (
    select
        settings.account,
        charges.charge,
        charges.symbol,
        case settings.decimal_separator
            when '.' then charges.with_point
            when ',' then charges.with_comma
            else charges.amount
        end as amount,
        coalesce(settings.currency, 'USD') as expected,
        -- A code says more than the symbol beside it, as in "$1.00 CAD".
        coalesce(nullif(regexp_extract(charges.symbol, '[A-Z]{3}'), ''), charges.symbol) as sign
    from staging.zoom__charges as charges
    inner join config.accounts as settings
        on settings.vendor = 'zoom'
)

select
    written.account,
    written.charge,
    case
        when written.amount is null then null
        when written.sign in ('', written.expected) then written.expected
        when list_contains(symbols.currencies, written.expected) then written.expected
        when len(symbols.currencies) = 1 then symbols.currencies[1]
    end as currency,
    if(currency is null, null, written.amount) as amount,
    written.amount is null as is_unreadable,
    if(currency = written.expected or is_unreadable, null, written.symbol) as contrary_symbol
from written
left join symbols
    on written.sign = symbols.symbol
