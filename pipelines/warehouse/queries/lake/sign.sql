-- What makes a snapshot one that can be gone back to.
call {name}.set_commit_message('callhouse', '{message}')
