-- pgbench's own TPC-B-like script, but for teller and account, which are drawn within the branch:
-- a branch has 10 tellers and 100,000 accounts, numbered on from those of the branch before.
\set bid random(1, :scale)
\set tid random(1, 10) + (:bid - 1) * 10
\set aid random(1, 100000) + (:bid - 1) * 100000
\set delta random(-5000, 5000)
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);
END;
