-- One row per word for what was paid for in Voximplant sessions: in our words, by the
-- pattern of seeds/cost_components.csv that has the most letters of it.
-- @key vendor_component
-- @not_null component
with words as (
    select distinct
        case section
            when 1 then 'calls' when 2 then 'records' else resource['resource_type']
        end as vendor_component
    from staging.voximplant__lines
)

select
    words.vendor_component,
    first(
        components.component
        order by
            len(replace(components.vendor_component, '*', '')) desc,
            components.vendor_component asc
    ) as component
from words
inner join seeds.cost_components as components
    on
        components.vendor = 'voximplant'
        and words.vendor_component glob components.vendor_component
group by all
