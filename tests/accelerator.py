"""A stand-in for an accelerator: a device of torch's own kind whose tensors are computed by the processor.

It refuses what an accelerator refuses, such as tensors of two devices in one operation, or one read as an array where
it lies. Its numbers are the processor's, so that whatever runs on it must come out the same. torch knows it from
`install` on for the rest of the process: use it in one of its own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils import _pytree as tree
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "elsewhere"
_MOVES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)


class Elsewhere(torch.Tensor):
    """A tensor on the stand-in; ``here`` are its numbers."""

    here: torch.Tensor

    @staticmethod
    def __new__(cls, here: torch.Tensor) -> Elsewhere:
        made: Elsewhere = torch.Tensor._make_wrapper_subclass(
            cls, here.shape, strides=here.stride(), storage_offset=here.storage_offset(), dtype=here.dtype,
            device=torch.device(NAME, 0), requires_grad=here.requires_grad,
        )  # fmt: skip
        made.here = here
        return made

    @classmethod
    def __torch_dispatch__(cls, act: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _act(act, args, kwargs or {})


class _Everywhere(TorchDispatchMode):
    def __torch_dispatch__(self, act: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _act(act, args, kwargs or {})


class _Module(_DummyBackendModule):
    def set_device(self, index: int) -> None:
        pass

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


def install() -> _Everywhere:
    """Make torch know the stand-in, as its only accelerator; tensors go there within the context that is returned."""
    _setup_privateuseone_for_python_backend(NAME, backend_module=_Module())
    torch.inference_mode = torch.no_grad  # in which tensors of a class of one's own cannot be made
    return _Everywhere()


def _act(act: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [item for item in tree.tree_leaves((args, kwargs)) if isinstance(item, torch.Tensor)]
    there = [item for item in tensors if isinstance(item, Elsewhere)]
    # A tensor of one number may come from the processor, as everywhere in torch.
    if there and act not in _MOVES and any(item.ndim for item in tensors if not isinstance(item, Elsewhere)):
        raise RuntimeError(f"tensors of two devices in {act}")
    to = kwargs.get("device")
    if to is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    arguments, named = tree.tree_map(lambda item: item.here if isinstance(item, Elsewhere) else item, (args, kwargs))
    made = act(*arguments, **named)
    if not (torch.device(to).type == NAME if to is not None else there):
        return made
    known = {id(item.here): item for item in there}  # what acts in place returns its own argument

    def moved(item: Any) -> Any:
        if not isinstance(item, torch.Tensor):
            return item
        return known[id(item)] if id(item) in known else Elsewhere(item)

    return tree.tree_map(moved, made)
