-- Calls that have not ended or are not billed. Where `fields` leaves a date out, the
-- length and the price show.
select
    account,
    record_id
from latest
where
    coalesce(
        if(
            json_exists(payload, '$.finishedAt'),
            json_extract_string(payload, '$.finishedAt'),
            json_extract_string(payload, '$.duration')
        ),
        ''
    ) = ''
    or if(
        json_exists(payload, '$.billedAt'),
        coalesce(json_extract_string(payload, '$.billedAt'), '') = '',
        coalesce(try_cast(json_extract_string(payload, '$.totalCost') as double), 0) = 0
    )
