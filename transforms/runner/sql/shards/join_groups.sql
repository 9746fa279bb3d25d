-- Give groups that have a record in common the same label, the least one.
update temp."run.labels" as labels
set label = nearer.label
from (
    select
        links.node,
        min(least.label) as label
    from temp."run.links" as links
    inner join (
        select
            members.link,
            min(known.label) as label
        from temp."run.links" as members
        inner join temp."run.labels" as known on members.node = known.node
        group by members.link
    ) as least on links.link = least.link
    group by links.node
) as nearer
where labels.node = nearer.node and labels.label > nearer.label
