"""A charge is published as API Pix says and read as other banks publish it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastro.errors import InvalidQrCode
from lastro.pix.qrcodes.charge import Charge, ChargeStatus, read, write
from lastro.values.money import Money
from lastro.values.pix_key import KeyType, PixKey
from lastro.values.tax_id import TaxId

EVP = PixKey(KeyType.EVP, "7407c9c8-f78b-11ea-adc1-0242ac120002")
NOON = datetime(2026, 11, 21, 12, 0, 0, 13_000, tzinfo=UTC)
TXID = "fc9a4366ff3d4964b5dbc6c91a8722d3"

# The payloads inside of the two signed samples of API Pix 2.9.0.
IMMEDIATE = {
    "calendario": {
        "criacao": "2020-09-15T19:39:54.013Z",
        "apresentacao": "2020-04-01T18:00:00Z",
        "expiracao": "3600",
    },
    "txid": TXID,
    "revisao": "3",
    "status": "ATIVA",
    "valor": {"original": "500.00"},
    "chave": EVP.value,
    "solicitacaoPagador": "Informar cartao fidelidade",
    "infoAdicionais": [{"nome": "quantidade", "valor": "2"}],
}
DUE = {
    "calendario": {
        "criacao": "2020-09-15T19:39:54.013Z",
        "apresentacao": "2020-04-01T18:00:00Z",
        "dataDeVencimento": "2020-12-31",
        "validadeAposVencimento": 30,
    },
    "devedor": {"logradouro": "Alameda Santos", "cnpj": "56989000019533", "nome": "Empresa de Alimentos SA"},
    "recebedor": {
        "logradouro": "Rua 20 Numero 70, Bairro Luz",
        "cidade": "Belo Horizonte",
        "uf": "MG",
        "cep": "55120750",
        "cnpj": "58900633120711",
        "nome": "Empresa de Abastecimento SA",
    },
    "txid": TXID,
    "revisao": "3",
    "status": "ATIVA",
    "valor": {"original": "123.45", "multa": "15.00", "juros": "2.00", "final": "140,45"},
    "chave": EVP.value,
    "solicitacaoPagador": "Informar cartao fidelidade",
    "infoAdicionais": [{"nome": "quantidade", "valor": "2"}],
}


def with_(sample: dict[str, Any], path: str, value: Any) -> bytes:
    """The sample with one thing changed, or left out if it is `...`."""
    changed = json.loads(json.dumps(sample))
    *parents, name = path.split(".")
    place = changed
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[name]
    else:
        place[name] = value
    return json.dumps(changed).encode()


def test_our_charge_is_published_as_the_api_says() -> None:
    charge = Charge(
        txid=TXID,
        key=EVP,
        amount=Money(25000),
        status=ChargeStatus.ACTIVE,
        created_at=NOON,
        expires_at=NOON + timedelta(minutes=30),
        description="Pão de açúcar",
        revision=1,
        details=(("Pedido", "1234"),),
    )
    assert json.loads(write(charge, presented_at=NOON + timedelta(seconds=1))) == {
        "txid": TXID,
        "revisao": 1,
        "calendario": {
            "criacao": "2026-11-21T12:00:00.013Z",
            "apresentacao": "2026-11-21T12:00:01.013Z",
            "expiracao": 1800,
        },
        "valor": {"original": "250.00"},
        "chave": EVP.value,
        "status": "ATIVA",
        "solicitacaoPagador": "Pão de açúcar",
        "infoAdicionais": [{"nome": "Pedido", "valor": "1234"}],
    }
    assert read(write(charge, presented_at=NOON)) == charge


def test_what_a_charge_does_not_say_is_not_published() -> None:
    charge = Charge(TXID, EVP, Money(1), ChargeStatus.PAID, NOON, NOON + timedelta(seconds=1))
    assert set(json.loads(write(charge, presented_at=NOON))) == {
        "txid",
        "revisao",
        "calendario",
        "valor",
        "chave",
        "status",
    }
    assert read(write(charge, presented_at=NOON)) == charge


def test_a_description_is_cut_to_what_the_api_carries() -> None:
    charge = Charge(TXID, EVP, Money(1), ChargeStatus.ACTIVE, NOON, NOON + timedelta(seconds=1), "é" * 141)
    assert json.loads(write(charge, presented_at=NOON))["solicitacaoPagador"] == "é" * 140


def test_the_central_banks_immediate_charge_is_read() -> None:
    created = datetime(2020, 9, 15, 19, 39, 54, 13_000, tzinfo=UTC)
    assert read(json.dumps(IMMEDIATE).encode()) == Charge(
        TXID,
        EVP,
        Money(50000),
        ChargeStatus.ACTIVE,
        created,
        created + timedelta(hours=1),
        "Informar cartao fidelidade",
        3,
        (("quantidade", "2"),),
    )


def test_the_central_banks_charge_with_a_due_date_is_read() -> None:
    charge = read(json.dumps(DUE).encode())
    assert charge.amount == Money(14045)
    assert charge.receiver_name == "Empresa de Abastecimento SA"
    assert charge.receiver_document == TaxId.parse("58900633120711")
    # 31 December, 30 days more are a Saturday: to the end of Monday 1 February, in Brasília
    assert charge.expires_at == datetime(2021, 2, 2, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("due", "days", "last"),
    [
        ("2020-10-20", 4, "2020-10-26"),
        ("2020-12-25", 0, "2020-12-28"),
        ("2020-12-25", 1, "2020-12-29"),
        ("2020-12-25", 3, "2020-12-31"),
        ("2020-12-25", 4, "2021-01-04"),
        ("2021-08-27", 5, "2021-09-01"),
        ("2021-08-28", 5, "2021-09-06"),
    ],
)
def test_a_charge_is_payable_to_the_end_of_its_last_day(due: str, days: int, last: str) -> None:
    """The worked examples of the API."""
    sample = json.loads(json.dumps(DUE))
    sample["calendario"] |= {"dataDeVencimento": due, "validadeAposVencimento": days}
    after = datetime.fromisoformat(f"{last}T00:00:00-03:00") + timedelta(days=1)
    assert read(json.dumps(sample).encode()).expires_at == after


@pytest.mark.parametrize(
    ("path", "value", "field", "expected"),
    [
        ("revisao", 3, "revision", 3),
        ("revisao", ..., "revision", 0),
        ("calendario.expiracao", 60, "expires_at", datetime(2020, 9, 15, 19, 40, 54, 13_000, tzinfo=UTC)),
        ("calendario.expiracao", ..., "expires_at", datetime(2020, 9, 16, 19, 39, 54, 13_000, tzinfo=UTC)),
        (
            "calendario.criacao",
            "2020-09-15T16:39:54-03:00",
            "created_at",
            datetime(2020, 9, 15, 19, 39, 54, tzinfo=UTC),
        ),
        ("calendario.apresentacao", ..., "txid", TXID),
        ("valor", {"original": "0.00"}, "amount", None),
        ("valor", {"original": "10.00", "modalidadeAlteracao": 1}, "amount_may_change", True),
        ("valor", {"original": "10.00", "modalidadeAlteracao": "0"}, "amount_may_change", False),
        ("valor", {"original": "10,5"}, "amount", Money(1050)),
        ("valor", {"original": 10}, "amount", Money(1000)),
        ("valor", {"original": 10.5}, "amount", Money(1050)),
        ("valor", {"original": "1.00", "final": "2.00"}, "amount", Money(200)),
        ("valor", {"final": "2.00"}, "amount", Money(200)),
        ("valor", {"original": "1.00", "final": None}, "amount", Money(100)),
        ("valor", {"original": "0.00", "retirada": {"saque": {"valor": "5.00"}}}, "withdrawal", True),
        ("status", "CONCLUIDA", "status", ChargeStatus.PAID),
        ("status", "REMOVIDA_PELO_PSP", "status", ChargeStatus.REMOVED_BY_ITS_BANK),
        ("chave", "+5511987654321", "key", PixKey(KeyType.PHONE, "+5511987654321")),
        ("chave", "12345678000190", "key", PixKey(KeyType.CNPJ, "12345678000190")),
        ("solicitacaoPagador", ..., "description", None),
        ("solicitacaoPagador", "  ", "description", None),
        ("solicitacaoPagador", 1, "description", None),
        ("solicitacaoPagador", " Linha 1\r\n\u202eLinha\x1b 2 ", "description", "Linha 1 Linha 2"),
        ("solicitacaoPagador", "é" * 141, "description", "é" * 140),
        ("infoAdicionais", ..., "details", ()),
        ("infoAdicionais", "x", "details", ()),
        ("infoAdicionais", [{"nome": "a"}, "b", {"nome": "c", "valor": ["d"]}], "details", ()),
        ("infoAdicionais", [{"nome": "a", "valor": "b"}] * 51, "details", (("a", "b"),) * 50),
        ("recebedor", "x", "receiver_name", None),
        ("recebedor", {"nome": "Ana", "cpf": "529.982.247-25"}, "receiver_document", TaxId.parse("52998224725")),
        ("recebedor", {"nome": "Ana", "cpf": "1"}, "receiver_document", None),
    ],
)
def test_what_is_spelled_otherwise_is_understood(path: str, value: Any, field: str, expected: object) -> None:
    assert getattr(read(with_(IMMEDIATE, path, value)), field) == expected


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("txid", ..., "txid"),
        ("txid", "", "txid"),
        ("txid", "a-b", "txid"),
        ("txid", "A" * 36, "txid"),
        ("txid", 1, "txid"),
        ("chave", ..., "chave"),
        ("chave", "nobody", "chave"),
        ("chave", 52998224725, "chave"),
        ("valor", ..., "valor"),
        ("valor", "10.00", "valor"),
        ("valor", {}, "valor.original"),
        ("valor", {"original": "-1.00"}, "valor.original"),
        ("valor", {"original": "1.000"}, "valor.original"),
        ("valor", {"original": "1.000,00"}, "valor.original"),
        ("valor", {"original": "１.00"}, "valor.original"),
        ("valor", {"original": "99999999999.00"}, "valor.original"),
        ("valor", {"original": True}, "valor.original"),
        ("valor", {"original": -1}, "valor.original"),
        ("valor", {"original": ["1.00"]}, "valor.original"),
        ("valor", {"original": "1.00", "final": "lots"}, "valor.final"),
        ("valor", {"original": "1.00", "modalidadeAlteracao": 2}, "modalidadeAlteracao"),
        ("status", ..., "status"),
        ("status", "EXPIRADA", "status"),
        ("status", ["ATIVA"], "status"),
        ("calendario", ..., "calendario"),
        ("calendario", [], "calendario"),
        ("calendario.criacao", ..., "criacao"),
        ("calendario.criacao", "2020-09-15T19:39:54", "criacao"),
        ("calendario.criacao", "2020-09-31T19:39:54Z", "criacao"),
        ("calendario.criacao", "0001-01-01T00:00:00+14:00", "criacao"),
        ("calendario.criacao", 0, "criacao"),
        ("calendario.criacao", {}, "criacao"),
        ("calendario.expiracao", -1, "expiracao"),
        ("calendario.expiracao", "soon", "expiracao"),
        ("calendario.expiracao", True, "expiracao"),
        ("calendario.expiracao", 2**31, "expiracao"),
        ("calendario.dataDeVencimento", "2020-02-30", "dataDeVencimento"),
        ("calendario.dataDeVencimento", "9999-12-30", "dataDeVencimento"),
        ("calendario.dataDeVencimento", None, "dataDeVencimento"),
        ("revisao", -1, "revisao"),
    ],
)
def test_what_can_not_be_understood_is_refused(path: str, value: Any, named: str) -> None:
    with pytest.raises(InvalidQrCode) as refusal:
        read(with_(IMMEDIATE, path, value))
    assert f"({named})" in refusal.value.text.en
    assert f"({named})" in refusal.value.text.pt


def test_a_validity_that_ends_after_the_end_of_time_is_refused() -> None:
    with pytest.raises(InvalidQrCode, match="expiracao"):
        read(with_(IMMEDIATE, "calendario.criacao", "9999-12-31T23:30:00Z"))


@pytest.mark.parametrize("payload", [b"", b"[]", b'"x"', b"null", b"{", b"\xff", b'{"txid":"a","txid":"b"}', b"1e999"])
def test_what_is_no_json_object_is_no_charge(payload: bytes) -> None:
    with pytest.raises(InvalidQrCode, match="JSON"):
        read(payload)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)
paths = st.sampled_from(
    [
        *("txid", "revisao", "status", "chave", "solicitacaoPagador", "infoAdicionais", "recebedor", "valor"),
        *(f"valor.{name}" for name in ("original", "final", "retirada", "modalidadeAlteracao")),
        *(f"calendario.{name}" for name in ("criacao", "dataDeVencimento", "validadeAposVencimento", "expiracao")),
        "calendario",
    ]
)


@given(st.sampled_from([IMMEDIATE, DUE]), paths, json_values)
def test_nothing_but_a_refusal_comes_of_garbage(sample: dict[str, Any], path: str, value: Any) -> None:
    try:
        charge = read(with_(sample, path, value))
    except InvalidQrCode:
        return
    assert charge.amount is None or charge.amount.centavos > 0
    assert charge.expires_at.tzinfo is not None
    assert (charge.description or "-").isprintable()
