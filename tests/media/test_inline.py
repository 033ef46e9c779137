import base64
from urllib.parse import quote_from_bytes

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.media.makers import GOOD
from yoin.ledger import Ledger
from yoin.media import collect, inline
from yoin.media.reasons import Unusable
from yoin.media.shelf import Incoming
from yoin.options import MediaOptions


def read(cell, folder):
    with Incoming(folder, 10_000, "it") as incoming:
        inline.read(cell, incoming)
        with incoming.open() as stream:
            return stream.read()


@given(content=st.binary(max_size=200), form=st.sampled_from(["base64", "unpadded", "percent", "both"]))
def test_content_comes_back(content, form, tmp_path_factory):
    packed = base64.b64encode(content).decode()
    cell = {
        "base64": f"data:image/png;base64,{packed}",
        "unpadded": f" data:;base64,{packed.rstrip('=')} ",
        "percent": f"DATA:image/png,{quote_from_bytes(content)}",
        "both": f"data:image/png;charset=x;base64,{quote_from_bytes(packed.encode())}",
    }[form]
    assert read(cell, tmp_path_factory.getbasetemp()) == content


@pytest.mark.parametrize("cell", ["data:image/png;base64", "data:;base64,a", "data:;base64,***", "data:;base64,é"])
def test_what_is_no_proper_data_url(cell, tmp_path):
    with pytest.raises(Unusable) as problem:
        read(cell, tmp_path)
    assert problem.value.reason == "bad_url"


def test_cells_with_images_in_them(tmp_path):
    packed = base64.b64encode(GOOD["plain.png"]).decode()
    cells = pd.Series([f"data:image/png;base64,{packed}", "data:text/html,<b>no</b>", "data:,"], dtype="string")
    with Ledger(tmp_path / "ledger.db") as ledger:
        media = collect(cells, store=tmp_path / "media", ledger=ledger, options=MediaOptions(base=tmp_path))
        assert max(len(source) for source in ledger.media()) < 100  # not the images themselves
    assert media.rows["reason"].tolist() == ["", "not_an_image", "empty_file"]
