-- One row per call that a rule of cost_centers.csv fits: the cost center of the first such rule.
-- A rule names a field of the call, of one of its queues, agents or payers, or one that only its
-- vendor has; a payer also by its kind, such as customer, with its id or its name. An agent to
-- whom a call was only offered counts where nobody handled it.
-- @key vendor, account, vendor_call_id
-- @not_null cost_center, rule_number
with agents as (
    select
        *,
        coalesce(role = 'handled', false) as has_handled
    from intermediate.call_agents
    qualify has_handled or not bool_or(has_handled) over (
        partition by vendor, account, vendor_call_id
    )
),

fields as (
    select
        calls.vendor,
        calls.account,
        calls.vendor_call_id,
        unnest([
            { 'name': 'account', 'value': calls.account },
            { 'name': 'direction', 'value': calls.direction },
            { 'name': 'language', 'value': calls.language },
            { 'name': 'business_number', 'value': coalesce(numbers.e164, calls.business_number) }
        ]) as field
    from staging.calls as calls
    left join intermediate.phone_numbers as numbers
        on
            calls.vendor = numbers.vendor
            and calls.account = numbers.account
            and calls.business_number = numbers.number
    union all
    select
        vendor,
        account,
        vendor_call_id,
        unnest([
            { 'name': 'queue_id', 'value': vendor_queue_id },
            { 'name': 'queue_name', 'value': queue_name }
        ]) as field
    from staging.queues
    union all
    select
        vendor,
        account,
        vendor_call_id,
        unnest([
            { 'name': 'agent_id', 'value': vendor_agent_id },
            { 'name': 'agent_name', 'value': agent_name }
        ]) as field
    from agents
    union all
    select
        vendor,
        account,
        vendor_call_id,
        unnest([
            { 'name': 'payer_id', 'value': payer_id },
            { 'name': 'payer_name', 'value': payer_name },
            { 'name': payer_kind, 'value': payer_id },
            { 'name': payer_kind, 'value': payer_name }
        ]) as field
    from staging.payers
    union all
    select
        vendor,
        account,
        vendor_call_id,
        { 'name': attribute, 'value': value } as field
    from staging.attributes
),

named as (
    select
        fields.vendor,
        fields.account,
        fields.vendor_call_id,
        fields.field['name'] as field,
        fields.field['value'] as value
    from fields
    where fields.field['name'] in (select rules.field from config.cost_centers as rules)
),

-- Each value is looked at once, however many calls have it.
fitting as (
    select
        given.vendor,
        given.field,
        given.value,
        min(rules.number) as rule_number
    from (
        select distinct
            vendor,
            field,
            value
        from named
    ) as given
    inner join config.cost_centers as rules
        on
            given.field = rules.field
            and (rules.vendor = '*' or given.vendor = rules.vendor)
            and regexp_full_match(given.value, rules.pattern)
    group by all
),

first_rules as (
    select
        named.vendor,
        named.account,
        named.vendor_call_id,
        min(fitting.rule_number) as rule_number
    from named
    inner join fitting
        on
            named.vendor = fitting.vendor
            and named.field = fitting.field
            and named.value = fitting.value
    group by all
)

select
    first_rules.vendor,
    first_rules.account,
    first_rules.vendor_call_id,
    first_rules.rule_number,
    rules.cost_center
from first_rules
inner join config.cost_centers as rules on first_rules.rule_number = rules.number
