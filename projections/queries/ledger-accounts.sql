-- The open accounts of a ledger, the richest first, each with its share of what the ledger holds.
-- :ledger text              Which ledger.
-- :balance_min integer = 0  In cents; accounts with less are left out.
SELECT
    accounts.account,
    accounts.owner,
    accounts.balance,
    accounts.in_transit,
    CAST(100.0 * accounts.balance / nullif(ledgers.balance, 0) AS double precision) AS ledger_percent
FROM account_balances AS accounts
JOIN ledger_balances AS ledgers ON ledgers.ledger = accounts.ledger
WHERE accounts.ledger = :ledger AND accounts.balance >= :balance_min AND NOT accounts.closed
ORDER BY accounts.balance DESC, accounts.account
