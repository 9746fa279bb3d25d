-- How many rows two SELECTs do not share.
with before as (select * from {before}),

after as (select * from {after}),

differing as (
    (
        from before
        except
        from after
    )
    union all
    (
        from after
        except
        from before
    )
)

select count(*)
from differing
