-- inputs.erased: the records of which a version has the mark that callhouse erase puts there. A
-- version is parsed only if it has the name of the mark somewhere.
select distinct
    vendor,
    account,
    record_id
from {stored} as stored
where
    case
        when contains(payload, 'callhouse_erased')
            then json_extract_string(payload, '$.callhouse_erased') = 'true'
    end
