-- The rows of a model, and how many of them break each check.
select {counts}
from {place}
