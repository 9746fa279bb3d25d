-- One row: what the file shows of phone numbers.
select phone_numbers
from ops.build_info
