"""The epochs of one training, as each worker runs them. No Ray here: a test calls it directly."""

import copy
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from emotion_core.models.batches import make_batch
from emotion_core.models.dataset import FeatureSet, in_segments
from emotion_core.models.networks import Batch, build_network
from emotion_core.recipes.specs import Recipe
from emotion_core.training.augment import augment
from emotion_core.training.averaging import average_of
from emotion_core.training.decoded import DecodedClips
from emotion_core.training.hints import hint_losses, hinted
from emotion_core.training.mixup import Pairs, draw_pairs, mix
from emotion_core.training.optimiser import make_optimiser, set_rates
from emotion_core.training.plan import (
    TrainPlan,
    class_weights,
    corpus_weights,
    epoch_order,
    global_batches,
    share,
    targets_of,
    times_drawn,
)
from emotion_core.training.precision import computing_in
from emotion_core.training.snapshot import EpochRow, Snapshot, is_best, weights_of
from emotion_core.training.start import begin
from emotion_core.training.validation import Validation, Validator
from emotion_core.training.votes import soft_labels

# called on every worker after each epoch
Report = Callable[[Snapshot], None]


class Training:
    """One worker's share of a training.

    A recipe with phases is trained phase by phase, each from the best weights of the one before; a
    phase that needs a modality which no training clip has is left out.

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
        self.plan, self.train, self.validation = plan, in_segments(train, plan.recipe), validation
        self.rank, self.workers, self.device = rank, workers, torch.device(device)
        torch.manual_seed(plan.seed)  # before the weights are drawn: every worker draws the same
        classes = len(train.label_set.labels)
        self.network = build_network(plan.recipe, classes, download=not plan.start)
        begin(self.network, plan.start)
        self.hinted = hinted(self.network, self.train, plan.recipe.training)
        self.learner = (self.hinted or self.network).to(self.device)
        self.model: nn.Module = self.learner
        self.average: AveragedModel | None = None
        spec = plan.recipe.training
        voted = soft_labels(self.train) if spec.labels_from == "votes" else None
        counted = self.train.labels if voted is None else voted
        self.often = times_drawn(self.train.clips, spec.corpus_shares)
        self.class_weights = class_weights(counted, classes, spec.class_weights, self.often)
        self.loss_weights = torch.from_numpy(self.class_weights).to(self.device)
        weighed = spec.balance and not spec.corpus_shares
        self.corpus_weights = corpus_weights(self.train.clips, weighed)
        self.targets = targets_of(self.train, spec.teacher_share, voted)
        self.samples = DecodedClips(self.train)
        self.phases = [p for p in _phases(plan.recipe) if self._usable(self.train, p).any()]

    def run(self, report: Report, resume: Snapshot | None = None) -> Snapshot | None:
        """All epochs that are left; ``report`` gets the state after each.

        Returns:
            The last state, None when not even one epoch was asked for.
        """
        state = resume
        if resume is not None:
            self.network.load_state_dict(resume.last)
            if self.hinted is not None:
                self.hinted.guess.load_state_dict(resume.aside)
        for phase in self.phases:
            done = state.of_phase(phase) if state else ()
            if self._finished(done):
                continue
            if state is not None and not done:
                self.network.load_state_dict(state.best)
            self._enter(phase)
            if state is not None and done:
                self.optimiser.load_state_dict(state.optimiser)
                if self.average is not None:
                    self.average.load_state_dict(state.average)
            state = self._run_phase(phase, state, report)
        return state

    def _run_phase(self, phase: str, state: Snapshot | None, report: Report) -> Snapshot | None:
        done = state.of_phase(phase) if state else ()
        while not self._finished(done):
            history = state.history if state else ()
            row = self._epoch(phase, len(history), done)
            done = (*done, row)
            state = Snapshot(
                history=(*history, row),
                last=weights_of(self.network),
                best=weights_of(self.answering) if row.best or state is None else state.best,
                # a copy: the next epoch changes the tensors in place
                optimiser=copy.deepcopy(self.optimiser.state_dict()),
                finished=phase == self.phases[-1] and self._finished(done),
                average=weights_of(self.average) if self.average is not None else {},
                aside=weights_of(self.hinted.guess) if self.hinted is not None else {},
            )
            report(state)
        return state

    @property
    def answering(self) -> nn.Module:
        """What is validated and kept: the network, or the running mean of its weights."""
        return self.network if self.average is None else self.average.module

    def _enter(self, phase: str) -> None:
        """Make the network's weights that this phase trains the ones that move."""
        spec = self.plan.recipe.training
        self.network.zero_grad(set_to_none=True)  # or what no longer moves counts in the norm
        if phase:
            self.network.enter(phase)  # type: ignore[operator]
        if self.workers > 1:
            self.model = DistributedDataParallel(
                self.learner,
                find_unused_parameters=getattr(self.network, "skips_parameters", False),
            )
        aside = self.hinted.guess.parameters() if self.hinted is not None else ()
        self.optimiser = make_optimiser(self.network, spec, aside)
        self.average = average_of(self.network, spec.ema) if spec.ema else None

    def _usable(self, features: FeatureSet, phase: str) -> np.ndarray:
        """Which clips have what the phase looks at, bool (clips,)."""
        needs = self.network.needs(phase) if phase else ()  # type: ignore[operator]
        usable = np.ones(len(features), bool)
        if "audio" in needs:
            usable &= features.has_audio
        if "face" in needs:
            usable &= features.has_faces
        return usable

    def _finished(self, done: tuple[EpochRow, ...]) -> bool:
        """The same on every worker: it depends on figures summed over all of them."""
        spec = self.plan.recipe.training
        if len(done) >= spec.epochs:
            return True
        improved = [place for place, row in enumerate(done) if row.best]
        waited = len(done) - 1 - improved[-1] if improved else 0
        return len(self.validation) > 0 and waited >= spec.patience

    def _epoch(self, phase: str, epoch: int, done: tuple[EpochRow, ...]) -> EpochRow:
        started = time.perf_counter()
        # dropout differs between workers and epochs; a restarted epoch repeats its own
        torch.manual_seed(
            int(np.random.default_rng([self.plan.seed, epoch, self.rank]).integers(2**31))
        )
        spec = self.plan.recipe.training
        loss, war, lr = self._train(phase, epoch, len(done))
        found = self._validate(phase)
        return EpochRow(
            epoch=epoch,
            phase=phase,
            lr=lr,
            loss=loss,
            war=war,
            validation_loss=found.loss,
            validation_war=found.war,
            validation_uar=found.uar,
            best=spec.keep == "last" or is_best(found.uar, found.loss, done),
            seconds=time.perf_counter() - started,
            time=time.time(),
            workers=self.workers,
            audio_uar=found.audio_uar,
            face_uar=found.face_uar,
        )

    def _train(self, phase: str, epoch: int, before: int) -> tuple[float, float, float]:
        spec, plan = self.plan.recipe.training, self.plan
        self.model.train()
        # loss, its weight, clips that are right, clips
        sums = torch.zeros(4, dtype=torch.float64, device=self.device)
        lr = spec.lr
        usable = self._usable(self.train, phase)
        order = epoch_order(self.often, plan.seed, epoch)
        epoch_batches = global_batches(order, spec.batch_size, self.workers)
        steps = len(epoch_batches)
        for step, rows in enumerate(epoch_batches):
            lr = set_rates(self.optimiser, spec, before * steps + step, spec.epochs * steps, steps)
            pairs = draw_pairs(
                rows, self.train, spec.mixup, np.random.default_rng([plan.seed, epoch, step, 1])
            )
            places = share(np.arange(len(rows)), self.rank, self.workers)
            mine = pairs.take(places)
            # a clip that comes again is changed in another way
            when = [[epoch, step, int(p)] if spec.corpus_shares else [epoch] for p in places]
            batch = self._mixed(mine, when)
            with self._precision():
                found = self.model(batch)
            logits, guess = (found, None) if self.hinted is None else found
            losses = functional.cross_entropy(
                logits.float(),
                torch.from_numpy(mine.mixed(self.targets)).to(self.device),
                weight=self.loss_weights,
                reduction="none",
                label_smoothing=spec.label_smoothing,
            )
            if guess is not None and self.train.hints is not None:
                wanted = torch.from_numpy(self.train.hints[mine.rows]).float().to(self.device)
                losses = losses + spec.hint * hint_losses(guess.float(), wanted)
            losses = losses * torch.from_numpy(mine.mixed(self.corpus_weights)[:, 0]).to(losses)
            counts = torch.from_numpy(usable[mine.rows]).to(self.device)
            loss = losses[counts].sum()
            # DistributedDataParallel averages gradients over the workers: undo that division
            whole = float(self._weight_of(pairs)[usable[rows]].sum())
            self.optimiser.zero_grad(set_to_none=True)
            (loss * self.workers / max(whole, 1e-9)).backward()
            nn.utils.clip_grad_norm_(self.learner.parameters(), spec.clip_grad_norm)
            self.optimiser.step()
            if self.average is not None:
                self.average.update_parameters(self.network)
            sums[0] += loss.detach()
            sums[1] += float(self._weight_of(mine)[usable[mine.rows]].sum())
            sums[2] += (logits.argmax(dim=1) == batch.label)[counts].sum()
            sums[3] += counts.sum()
        if self.workers > 1:
            dist.all_reduce(sums)
        loss, weight, right, clips = sums.tolist()
        return loss / max(weight, 1e-9), right / max(clips, 1.0), lr

    def _mixed(self, pairs: Pairs, when: list[list[int]]) -> Batch:
        """The batch to learn from; a mixed clip has the label of which it holds more."""
        if not self.plan.recipe.training.mixup:
            return self._batch(pairs.rows, when).to(self.device)
        both = self._batch(np.concatenate([pairs.rows, pairs.partners]), [*when, *when])
        return mix(both.to(self.device), torch.from_numpy(pairs.shares).to(self.device))

    def _weight_of(self, pairs: Pairs) -> np.ndarray:
        """How much each pair counts in the loss, float (pairs,)."""
        mine = pairs.mixed(self.targets) @ self.class_weights
        return mine * pairs.mixed(self.corpus_weights)[:, 0]

    def _batch(self, rows: np.ndarray, when: list[list[int]]) -> Batch:
        samples = [self.samples(int(row)) for row in rows]
        recipe = self.plan.recipe
        if recipe.training.augment:
            seeds = ([self.plan.seed, *w, int(row)] for w, row in zip(when, rows, strict=True))
            samples = [
                augment(sample, np.random.default_rng(seed), recipe)
                for sample, seed in zip(samples, seeds, strict=True)
            ]
        return make_batch(samples, recipe.audio, recipe.video, self.plan.frames)

    def _validate(self, phase: str) -> Validation:
        """Of every clip of the validation side that the phase can judge, each counted once."""
        if self.workers > 1:  # running statistics of a network that keeps some
            for buffer in self.answering.buffers():
                dist.broadcast(buffer, 0)
        self.answering.eval()
        recipe = self.plan.recipe
        validator = Validator(
            self.answering, recipe, self.plan.frames, self.device, self.rank, self.workers,
            self._precision,
        )  # fmt: skip
        # a phase of a fusion trains one modality, or says itself what it is about
        both = recipe.audio is not None and recipe.video is not None and not phase
        return validator.measure(self.validation, self._usable(self.validation, phase), both)

    def _precision(self) -> AbstractContextManager[object]:
        return computing_in(self.plan.recipe.training.precision, self.device)


def _phases(recipe: Recipe) -> tuple[str, ...]:
    return recipe.training.phases or ("",)
