#!/usr/bin/python3
"""Goes through what the bank said, without any of the bank: keeps every account's book again, entry by entry.

    expected.py ACCOUNTS.csv TRANSFERS.csv JOURNAL.csv

Which order is refused depends on which came first, and that differs from run to run. But each account says in which order
it made its entries, so what must have become of each can be computed. Prints every mistake; none: exit status 0.
"""
import csv
import sys
from collections import defaultdict
from dataclasses import dataclass

DONE, INSUFFICIENT, CLOSED, NO_ACCOUNT = 2, 3, 4, 5


@dataclass(frozen=True)
class Answer:
    to: int
    amount: int
    outcome: int
    debit_entry: int
    debit_balance: int
    credit_entry: int
    credit_balance: int
    refund_entry: int
    refund_balance: int


@dataclass(frozen=True)
class Entry:
    order: tuple  # (payer, number)
    change: int   # cents; 0: a refusal
    needed: int   # cents that a refusal for want of money says weren't there; else 0
    balance: int  # as the account said, after it


def read(path):
    with open(path, encoding="ascii", newline="") as file:
        return [[int(field) for field in row] for row in list(csv.reader(file))[1:]]


def read_journal(path):
    """Answers of each order, and [account, entries, balance, reserved] of each audit."""
    answers, audits = defaultdict(list), defaultdict(list)
    with open(path, encoding="ascii", newline="") as file:
        for kind, *fields in csv.reader(file):
            fields = [int(field) for field in fields]
            if kind == "answer":
                answers[tuple(fields[:2])].append(Answer(*fields[2:]))
            else:
                audits[fields[0]].append(fields[1:])
    return answers, [audits[number] for number in sorted(audits)]


def number_orders(transfers):
    """(payer, number): (to, amount), numbered for each payer from 1."""
    orders, count = {}, defaultdict(int)
    for payer, to, amount in transfers:
        count[payer] += 1
        orders[payer, count[payer]] = (to, amount)
    return orders


def check_answers(orders, answers, closed):
    """One answer for each order, if need be many times, with an outcome that can be."""
    for order in answers.keys() - orders.keys():
        yield f"{order}: an answer to no order"
    for order, (to, amount) in orders.items():
        if len(set(answers[order])) != 1:
            yield f"{order}: {len(set(answers[order]))} different answers"
            continue
        a = answers[order][0]
        if (a.to, a.amount) != (to, amount):
            yield f"{order}: another order was answered"
        possible = {NO_ACCOUNT} if to >= len(closed) else {INSUFFICIENT, CLOSED} if closed[to] else {INSUFFICIENT, DONE}
        if a.outcome not in possible:
            yield f"{order}: outcome {a.outcome} can't be"
        entries = (a.debit_entry > 0, a.credit_entry > 0, a.refund_entry > 0)
        if entries != (True, a.outcome == DONE, a.outcome == CLOSED):
            yield f"{order}: outcome {a.outcome} with other entries"


def keep_books(answers, accounts):
    """account: {entry number: [Entry]}; more than one at a number is a mistake."""
    books = [defaultdict(list) for _ in range(accounts)]
    for order, (a, *_) in ((order, found) for order, found in answers.items() if found):
        moves = a.outcome in (DONE, CLOSED)
        books[order[0]][a.debit_entry].append(
            Entry(order, -a.amount if moves else 0, a.amount if a.outcome == INSUFFICIENT else 0, a.debit_balance))
        if a.credit_entry and a.to < accounts:
            books[a.to][a.credit_entry].append(Entry(order, a.amount, 0, a.credit_balance))
        if a.refund_entry:
            books[order[0]][a.refund_entry].append(Entry(order, a.amount, 0, a.refund_balance))
    return books


def check_book(account, book, opening):
    """Each entry once, and each balance what the entries before it make of the opening. Mistakes, and all balances."""
    mistakes, balances = [], [opening]
    for number in range(1, max(book, default=0) + 1):
        if len(book[number]) != 1:
            mistakes.append(f"account {account}: {len(book[number])} entries are number {number}")
            break
        entry = book[number][0]
        balances.append(balances[-1] + entry.change)
        if balances[-1] != entry.balance:
            mistakes.append(f"account {account}: a balance of {entry.balance}, not {balances[-1]}, at entry {number}")
            break
        if balances[-1] < 0 or (entry.needed and balances[-1] >= entry.needed):
            mistakes.append(f"account {account}: {balances[-1]} at entry {number} decides otherwise")
    return mistakes, balances


def check_audit(number, states, books, balances, total):
    """At one moment: each account is where its book says, and balances and money on its way are all the money."""
    entries = [state[1] for state in states]
    for account, at, balance, _ in states:
        if at >= len(balances[account]) or balances[account][at] != balance:
            yield f"audit {number}: account {account} has {balance} after {at} entries"
            return
    left = defaultdict(int)  # of each order: left an account and isn't at another
    for account, book in enumerate(books):
        for at in range(1, entries[account] + 1):
            left[book[at][0].order] -= book[at][0].change
    if any(amount < 0 for amount in left.values()):
        yield f"audit {number}: money arrived before it left"
    on_its_way, reserved = sum(left.values()), sum(state[3] for state in states)
    if sum(state[2] for state in states) + on_its_way != total:
        yield f"audit {number}: the total isn't {total}"
    if on_its_way > reserved:
        yield f"audit {number}: {on_its_way} on its way, and {reserved} reserved"


def mistakes_of(accounts_path, transfers_path, journal_path):
    accounts = read(accounts_path)
    openings, closed = [row[0] for row in accounts], [row[1] for row in accounts]
    answers, audits = read_journal(journal_path)
    orders = number_orders(read(transfers_path))
    mistakes = list(check_answers(orders, answers, closed))
    if mistakes:
        return mistakes
    books, balances = keep_books(answers, len(openings)), []
    for account, book in enumerate(books):
        found, kept = check_book(account, book, openings[account])
        mistakes += found
        balances.append(kept)
    if mistakes:
        return mistakes
    for number, states in enumerate(audits):
        mistakes += check_audit(number, states, books, balances, sum(openings))
    last = audits[-1] if audits else []
    if [state[1:] for state in last] != [[len(kept) - 1, kept[-1], 0] for kept in balances]:
        mistakes.append("the last audit isn't what the books end with")
    return mistakes


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    mistakes = mistakes_of(*sys.argv[1:])
    print("\n".join(mistakes) if mistakes else "every order once, every cent where it belongs")
    sys.exit(1 if mistakes else 0)


if __name__ == "__main__":
    main()
