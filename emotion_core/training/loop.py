"""The epochs of one training, as each worker runs them. No Ray here: a test calls it directly."""

import copy
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from torchmetrics import MeanMetric

from emotion_core.dataset import FeatureSet, batches
from emotion_core.metrics import FigureMeter
from emotion_core.networks import Batch, build_network
from emotion_core.samples import make_batch
from emotion_core.training.augment import augment
from emotion_core.training.plan import (
    TrainPlan,
    class_weights,
    global_batches,
    learning_rate,
    share,
)
from emotion_core.training.snapshot import EpochRow, Snapshot, weights_of

# called on every worker after each epoch
Report = Callable[[Snapshot], None]


class Training:
    """One worker's part of a training.

    Every worker goes through the same steps in the same order: which clips an epoch's batches hold
    does not depend on the number of workers, each takes its share of every batch, and the loss is
    divided by the weight of the whole batch, so that the summed gradients are those of one worker.

    Args:
        plan: what to do.
        train, validation: the two sides; ``validation`` may be empty.
        rank, workers: which worker this is, of how many (``torch.distributed`` is set up when there
            are several).
        device: where the network lives.
    """

    def __init__(
        self,
        plan: TrainPlan,
        train: FeatureSet,
        validation: FeatureSet,
        rank: int = 0,
        workers: int = 1,
        device: torch.device | str = "cpu",
    ):
        self.plan, self.train, self.validation = plan, train, validation
        self.rank, self.workers, self.device = rank, workers, torch.device(device)
        spec = plan.recipe.training
        torch.manual_seed(plan.seed)  # before the weights are drawn: every worker draws the same
        self.network = build_network(plan.recipe, len(train.label_set.labels)).to(self.device)
        self.model: nn.Module = self.network
        if workers > 1:
            self.model = DistributedDataParallel(
                self.network,
                find_unused_parameters=getattr(self.network, "skips_parameters", False),
            )
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=spec.lr, weight_decay=spec.weight_decay
        )
        weights = class_weights(train.labels, len(train.label_set.labels), spec.class_weights)
        self.class_weights = weights
        self.weights = torch.from_numpy(weights).to(self.device)

    def run(self, report: Report, resume: Snapshot | None = None) -> Snapshot | None:
        """All epochs that are left; ``report`` gets the state after each.

        Returns:
            The last state, None when not even one epoch was asked for.
        """
        history: tuple[EpochRow, ...] = ()
        best: dict[str, Tensor] = {}
        if resume is not None:
            self.network.load_state_dict(resume.last)
            self.optimiser.load_state_dict(resume.optimiser)
            history, best = resume.history, resume.best
        state = resume
        while not (state.finished if state else self._finished(history)):
            row = self._epoch(len(history), history)
            if row.best:
                best = weights_of(self.network)
            history = (*history, row)
            state = Snapshot(
                history=history,
                last=weights_of(self.network),
                best=best,
                # a copy: the next epoch changes the tensors in place
                optimiser=copy.deepcopy(self.optimiser.state_dict()),
                finished=self._finished(history),
            )
            report(state)
        return state

    def _finished(self, history: tuple[EpochRow, ...]) -> bool:
        """The same on every worker: it depends on figures summed over all of them."""
        spec = self.plan.recipe.training
        if len(history) >= spec.epochs:
            return True
        improved = [row.epoch for row in history if row.best]
        waited = len(history) - 1 - improved[-1] if improved else 0
        return len(self.validation) > 0 and waited >= spec.patience

    def _epoch(self, epoch: int, history: tuple[EpochRow, ...]) -> EpochRow:
        started = time.perf_counter()
        # dropout differs between workers and epochs; a restarted epoch repeats its own
        torch.manual_seed(
            int(np.random.default_rng([self.plan.seed, epoch, self.rank]).integers(2**31))
        )
        loss, war, lr = self._train(epoch)
        validation_loss, validation_war, validation_uar = self._validate()
        return EpochRow(
            epoch=epoch,
            lr=lr,
            loss=loss,
            war=war,
            validation_loss=validation_loss,
            validation_war=validation_war,
            validation_uar=validation_uar,
            best=_is_best(validation_uar, validation_loss, history),
            seconds=time.perf_counter() - started,
            time=time.time(),
            workers=self.workers,
        )

    def _train(self, epoch: int) -> tuple[float, float, float]:
        spec, plan = self.plan.recipe.training, self.plan
        self.model.train()
        mean_loss, right = MeanMetric().to(self.device), MeanMetric().to(self.device)
        lr = spec.lr
        epoch_batches = global_batches(
            len(self.train), spec.batch_size, self.workers, plan.seed, epoch
        )
        steps = len(epoch_batches)
        for step, rows in enumerate(epoch_batches):
            lr = learning_rate(spec.lr, epoch * steps + step, spec.epochs * steps, steps)
            for group in self.optimiser.param_groups:
                group["lr"] = lr
            batch = self._batch(share(rows, self.rank, self.workers), epoch).to(self.device)
            with self._precision():
                logits = self.model(batch)
            loss = functional.cross_entropy(
                logits.float(), batch.label, weight=self.weights, reduction="sum"
            )
            # DistributedDataParallel averages gradients over the workers: undo that division
            whole = float(self.class_weights[self.train.labels[rows]].sum())
            self.optimiser.zero_grad(set_to_none=True)
            (loss * self.workers / whole).backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), spec.clip_grad_norm)
            self.optimiser.step()
            mine = self.weights[batch.label].sum()
            mean_loss.update(loss.detach() / mine, weight=mine)
            right.update((logits.argmax(dim=1) == batch.label).float())
        return float(mean_loss.compute()), float(right.compute()), lr

    def _batch(self, rows: np.ndarray, epoch: int) -> Batch:
        samples = [self.train.sample(int(row)) for row in rows]
        if self.plan.recipe.training.augment:
            seeds = ([self.plan.seed, epoch, int(row)] for row in rows)
            samples = [
                augment(sample, np.random.default_rng(seed))
                for sample, seed in zip(samples, seeds, strict=True)
            ]
        return make_batch(samples, self.plan.recipe.audio, self.plan.recipe.video, self.plan.frames)

    @torch.no_grad()
    def _validate(self) -> tuple[float | None, float | None, float | None]:
        """Loss, WAR and UAR over every clip of the validation side, each counted once."""
        if not len(self.validation):
            return None, None, None
        if self.workers > 1:  # running statistics of a network that keeps some
            for buffer in self.network.buffers():
                dist.broadcast(buffer, 0)
        self.network.eval()
        meter = FigureMeter(self.validation.label_set.labels, self.device)
        # as sums: a worker may have no clip of this side
        total = torch.zeros(2, dtype=torch.float64, device=self.device)
        mine = np.arange(self.rank, len(self.validation), self.workers)
        for cpu_batch in batches(self.validation, mine, self.plan.recipe, self.plan.frames):
            batch = cpu_batch.to(self.device)
            with self._precision():
                logits = self.network(batch).float()
            meter.update(logits, batch.label)
            total[0] += functional.cross_entropy(logits, batch.label, reduction="sum")
            total[1] += len(batch)
        if self.workers > 1:
            dist.all_reduce(total)
        found = meter.compute()
        return float(total[0] / total[1]), found.war, found.uar

    def _precision(self) -> AbstractContextManager[object]:
        """Mixed precision where the GPU computes in bfloat16, which needs no loss scaling."""
        if self.device.type == "cuda" and torch.cuda.is_bf16_supported():
            return torch.autocast("cuda", dtype=torch.bfloat16)
        return nullcontext()


def _is_best(uar: float | None, loss: float | None, history: tuple[EpochRow, ...]) -> bool:
    """A higher validation UAR, or the same with a lower loss; the last epoch without validation."""
    if uar is None or loss is None or not history:
        return True
    best = [row for row in history if row.best][-1]
    if best.validation_uar is None or best.validation_loss is None:
        return True
    return (uar, -loss) > (best.validation_uar, -best.validation_loss)
