"""One training step as pure tensor work, the same on every device; nothing in it waits for one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.data import Normalisation, unit_range
from benchmarks.data.augmentation import Augmentation
from benchmarks.training.draws import DrawnDropout, Draws


class Step:
    """Gather, augment, forward, backward, update, note: what a call does with the next row.

    All that a step depends on lies in tensors that stay where they are, on the device of the
    images, so that a CUDA graph of a step can be replayed for every row: `load` fills the rows, a
    counter on the device says which is next. The host reads `losses` and `wrong` when it likes.

    images: uint8 [N, C, H, W]; labels: int64 [N]; rows: how many are loaded at most.
    A learning rate that is a tensor (of the optimiser's groups) is set from the row; one that is a
    number is the caller's to set.
    """

    def __init__(
        self,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        images: Tensor,
        labels: Tensor,
        *,
        augmentation: Augmentation,
        normalisation: Normalisation,
        dropouts: Sequence[DrawnDropout],
        batch: int,
        rows: int,
    ) -> None:
        self.model, self.optimiser, self.images, self.labels = model, optimiser, images, labels
        self.augmentation, self.normalisation = augmentation, normalisation
        self.dropouts = dropouts

        def table(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=images.device)

        self.row = table(1, dtype=torch.int64)
        self.order = table(rows, batch, dtype=torch.int64)
        self.drawn = table(rows, batch, augmentation.numbers, dtype=torch.float64)
        self.masks = [table(rows, batch, *d.shape, dtype=torch.bool) for d in dropouts]
        self.rates = table(rows)
        self.losses = table(rows)
        self.wrong = table(rows, dtype=torch.int64)

    def load(self, draws: Draws, rates: Sequence[float]) -> None:
        """Begin again at row 0 with what the next steps need: one upload."""
        tables = [self.order, self.drawn, *self.masks, self.rates]
        values = [draws.order, draws.augmentation, *draws.masks, torch.tensor(rates)]
        for table, value in zip(tables, values, strict=True):
            table[: len(value)].copy_(value, non_blocking=True)
        self.row.zero_()

    def __call__(self, batch: int) -> None:
        """Take one step with the first `batch` images of the next row."""
        chosen = self._of_row(self.order)[:batch]
        images = unit_range(self.images.index_select(0, chosen))  # [B, C, H, W]
        images = self.augmentation(images, self._of_row(self.drawn)[:batch])
        labels = self.labels.index_select(0, chosen)
        for dropout, masks in zip(self.dropouts, self.masks, strict=True):
            dropout.mask = self._of_row(masks)[:batch]
        for group in self.optimiser.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].copy_(self._of_row(self.rates))
        self.model.train()
        self.optimiser.zero_grad()
        logits = self.model(self.normalisation(images))
        loss = F.cross_entropy(logits, labels)
        errors = (logits.argmax(dim=1) != labels).sum()
        self.losses.index_copy_(0, self.row, loss.detach().float().view(1))
        self.wrong.index_copy_(0, self.row, errors.view(1))
        torch.autograd.backward(loss)
        self.optimiser.step()
        self.row += 1

    def _of_row(self, table: Tensor) -> Tensor:
        return table.index_select(0, self.row)[0]
