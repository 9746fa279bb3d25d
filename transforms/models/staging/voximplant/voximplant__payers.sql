-- One row per Voximplant session and level: the rule that started it, the application the
-- rule is one of, and the account that both belong to. A session that was started by API
-- has no rule: its application is the nearest then.
-- @key account, vendor_call_id, level
-- @column level: 1 for the nearest of those that the record names
-- @column payer_kind: rule, application, account
-- @column payer_id: application_id, account_id; a rule has none
-- @column payer_name: rule_name, application_name; an account has none
with named as (
    select
        account,
        record_id as vendor_call_id,
        unnest([
            struct_pack(
                place := 1, payer_kind := 'rule', payer_id := null,
                payer_name := nullif(record['rule_name'], '')
            ),
            struct_pack(
                place := 2, payer_kind := 'application',
                payer_id := nullif(record['application_id'], ''),
                payer_name := nullif(record['application_name'], '')
            ),
            struct_pack(
                place := 3, payer_kind := 'account',
                payer_id := nullif(record['account_id'], ''), payer_name := null
            )
        ]) as payer
    from staging.voximplant__call_sessions
)

select
    account,
    vendor_call_id,
    row_number() over (
        partition by account, vendor_call_id
        order by payer['place']
    )::integer as level,
    payer['payer_kind'] as payer_kind,
    payer['payer_id'] as payer_id,
    payer['payer_name'] as payer_name
from named
where payer['payer_id'] is not null or payer['payer_name'] is not null
