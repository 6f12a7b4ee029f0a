"""A statement as OFX 1.02, the SGML that Brazilian accounting programs import."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from html import escape

from lastro.statements import brazilian
from lastro.statements.lines import Direction, Line
from lastro.statements.origins import NAMES
from lastro.statements.period import local
from lastro.statements.service import Statement
from lastro.values.bank_account import AccountType
from lastro.values.money import Money

ENCODING = "cp1252"  # as CHARSET:1252 says
_LONGEST_NAME, _LONGEST_MEMO = 32, 255
_SECOND = timedelta(seconds=1)

_HEADER = """OFXHEADER:100
DATA:OFXSGML
VERSION:102
SECURITY:NONE
ENCODING:USASCII
CHARSET:1252
COMPRESSION:NONE
OLDFILEUID:NONE
NEWFILEUID:NONE

"""
_TOP = """<OFX>
<SIGNONMSGSRSV1>
<SONRS>
<STATUS>
<CODE>0
<SEVERITY>INFO
</STATUS>
<DTSERVER>{server}
<LANGUAGE>POR
<FI>
<ORG>{org}
<FID>{bank}
</FI>
</SONRS>
</SIGNONMSGSRSV1>
<BANKMSGSRSV1>
<STMTTRNRS>
<TRNUID>1
<STATUS>
<CODE>0
<SEVERITY>INFO
</STATUS>
<STMTRS>
<CURDEF>BRL
<BANKACCTFROM>
<BANKID>{bank}
<BRANCHID>{branch}
<ACCTID>{account}
<ACCTTYPE>{type}
</BANKACCTFROM>
<BANKTRANLIST>
<DTSTART>{start}
<DTEND>{end}
"""
_LINE = """<STMTTRN>
<TRNTYPE>{type}
<DTPOSTED>{posted}
<TRNAMT>{amount}
<FITID>{id}
{reference}<NAME>{name}
<MEMO>{memo}
</STMTTRN>
"""
_BOTTOM = """</BANKTRANLIST>
<LEDGERBAL>
<BALAMT>{balance}
<DTASOF>{at}
</LEDGERBAL>
</STMTRS>
</STMTTRNRS>
</BANKMSGSRSV1>
</OFX>
"""


async def write(of: Statement, pieces: AsyncIterator[Sequence[Line]]) -> AsyncIterator[bytes]:
    """The file, piece by piece; the balance at its end is the closing one."""
    holder, period = of.holder, of.period
    ended = period.until - _SECOND
    top = _TOP.format(
        server=_moment(period.asked_at),
        org=_text(holder.bank_name),
        bank=holder.bank.compe if holder.bank and holder.bank.compe else holder.ispb,
        branch=holder.branch or "",
        account=holder.number or "",
        type="SAVINGS" if holder.type is AccountType.SAVINGS else "CHECKING",
        start=_moment(period.since),
        end=_moment(ended),
    )
    yield _bytes(_HEADER + top)
    async for piece in pieces:
        yield _bytes("".join([_line(line) for line in piece]))
    at = ended if period.is_over else period.asked_at
    yield _bytes(_BOTTOM.format(balance=_amount(of.span.closing), at=_moment(at)))


def _line(line: Line) -> str:
    origin = line.origin
    memo = " - ".join(filter(None, (NAMES[origin.type], origin.description)))
    is_credit = line.direction is Direction.CREDIT
    return _LINE.format(
        type=line.direction,
        posted=_moment(line.posted_at),
        amount=_amount(line.amount if is_credit else -line.amount),
        id=line.id,
        reference=f"<REFNUM>{origin.e2e_id}\n" if origin.e2e_id else "",
        name=_text(origin.counterparty.name[:_LONGEST_NAME]),
        memo=_text(memo[:_LONGEST_MEMO]),
    )


def _text(text: str) -> str:
    """In letters of the charset, and without marks of SGML."""
    return escape(brazilian.lettered(text, ENCODING), quote=False)


def _bytes(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode(ENCODING)


def _amount(money: Money) -> str:
    return str(money)


def _moment(moment: datetime) -> str:
    """São Paulo's time, with how far it is from Greenwich: 20260131235959[-3:BRT]."""
    there = local(moment)
    offset = there.utcoffset() or timedelta()
    return f"{there:%Y%m%d%H%M%S}[{offset // timedelta(hours=1)}:BRT]"
