"""The recipe: batches are the same everywhere, questions see what they should, stages learn and go on."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerFast

from internvl_demo.errors import SetupError
from internvl_demo.nano.shape import TOKENS_PER_TILE
from internvl_demo.nano.tokenizer import CONTROL, build_tokenizer
from internvl_demo.nano.training.batches import pack_views, token_truth
from internvl_demo.nano.training.data import LessonBatches, VisionBatches
from internvl_demo.nano.training.learner import Learner
from internvl_demo.nano.training.model import DenseHead, fresh_vision, see
from internvl_demo.nano.training.muon import Muon, orthogonal
from internvl_demo.nano.training.parallel import rank, run_together, share_gradients
from internvl_demo.nano.training.recipes import RECIPES, STAGES, rate_at
from internvl_demo.nano.training.train import export_model, train
from internvl_demo.nano.world.prints import draw_card, draw_list, printed_words
from internvl_demo.nano.world.truth import view_truth, word_numbers
from internvl_demo.nano.world.vocabulary import NANO_DIR, kinds


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer(scenes=20)


@pytest.fixture
def run(tmp_path: Path, tokenizer: PreTrainedTokenizerFast, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for a run, with a tokenizer that is built already; batches are small."""
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    for stage, recipe in RECIPES.items():
        monkeypatch.setitem(RECIPES, stage, replace(recipe, views=min(recipe.views, FEW_VIEWS[stage])))
    return tmp_path


FEW_VIEWS = dict.fromkeys(STAGES, 3) | {"vision-112": 24}


def test_every_number_capital_name_and_control_string_is_one_token(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for text in (*CONTROL, *capitals):
        assert len(tokenizer.tokenize(text)) == 1, text
    box = f"<box>[[{', '.join(str(number) for number in range(1000))}]]</box>"
    assert len(tokenizer.tokenize(box)) == 4 + 1000 + 999
    assert tokenizer.tokenize(" 437") == [tokenizer.tokenize(" ")[0], "4", "3", "7"]
    for word in printed_words():
        assert len(tokenizer.tokenize(word)) == 1, word
    for kind in kinds():
        assert len(tokenizer.tokenize(f" {kind.en}")) == 1, kind.en
        assert len(tokenizer.tokenize(kind.zh)) <= len(kind.zh), kind.zh


@pytest.mark.parametrize(
    "text", ["zebra 你好 🦓 1024", "<ref>the cat</ref><box>[[1, 22, 333, 444]]</box>", "Привет, ÉCOLE\n"]
)
def test_any_text_comes_back_from_its_tokens(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


@pytest.mark.parametrize("view_px", [112, 224, 448])
def test_batches_are_the_same_on_every_machine(view_px: int) -> None:
    one, two = VisionBatches(0, 3, view_px)[7], VisionBatches(0, 3, view_px)[7]
    assert one.pixels is not None and two.pixels is not None
    assert one.pixels.shape == (3, 3, view_px, view_px)
    assert torch.equal(one.pixels, two.pixels)
    assert torch.equal(one.truth.letters, two.truth.letters)


def test_small_squares_full_of_print_hold_as_many_pixels_as_whole_tiles() -> None:
    batch = VisionBatches(0, 3, 448, squares=1.0)[0]
    assert batch.pixels is not None
    assert batch.pixels.shape == (12, 3, 224, 224)
    assert ((batch.truth.letters > 0).any(-1).any(-1)).all(), "each is printed on"
    assert batch.corners.min() >= 0
    assert batch.corners.max() <= 8, "all of it lies on a tile's grid"


@pytest.mark.parametrize("step", range(4))
def test_a_question_sees_the_images_and_not_the_other_questions(
    tokenizer: PreTrainedTokenizerFast, step: int
) -> None:
    batch = LessonBatches(3, 4, tokenizer, pixels=True)[step]
    assert batch.talks and batch.pixels is not None
    shown = torch.cat([talk.views for talk in batch.talks])
    assert sorted(shown.tolist()) == list(range(len(batch.pixels))), "every view is talked about once"
    image = tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>")
    for talk in batch.talks:
        assert int((talk.ids == image).sum()) == len(talk.views) * TOKENS_PER_TILE
        assert talk.mask.diagonal(dim1=-2, dim2=-1).all()
        assert not talk.mask.triu(1).any()
        told = talk.ids[talk.losses]
        assert (told == tokenizer.convert_tokens_to_ids("<|im_end|>")).sum() >= 5
        assert ((talk.numbers >= 0) <= talk.losses).all()
        assert talk.cells.any(1).all() or not len(talk.points)
        for row, place, start in talk.points.tolist():
            assert talk.losses[row, place + 1], "what is pointed from is said, not asked"
            assert (talk.ids[row, start : start + TOKENS_PER_TILE] == image).all()


def test_the_truth_as_tokens_tells_boxes_and_letters() -> None:
    truth = VisionBatches(2, 4, 448)[1].truth
    told = token_truth(truth)
    assert told.looks.shape == (4, 64)
    assert (told.letters > 0).sum() == (truth.letters > 0).sum()
    on = told.looks > 0
    assert on.any()
    assert (told.boxes[on][:, 2] >= told.boxes[on][:, 0]).all()
    assert told.shows[on].all()


def test_a_card_of_prices_is_told_its_words_and_numbers_as_tokens() -> None:
    card = next(card for seed in range(20) if len((card := draw_card(seed)).rows) >= 3)
    width, height = card.image.size
    batch = pack_views([view_truth(card, (0, 0, width, height))], [])
    told = token_truth(batch.truth)
    numbers = word_numbers()
    for name, value in card.rows:
        here = told.words[0] == numbers[name]
        assert here.any(), name
        assert (told.digits[0][here] == torch.tensor([0, *(1 + int(digit) for digit in str(value))])).all()


def test_visual_tokens_are_asked_for_the_words_that_the_decoder_reads(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    torch.manual_seed(0)
    learner = Learner(tokenizer)
    assert learner.model
    words = learner.model.get_input_embeddings().weight
    told = token_truth(VisionBatches(2, 4, 448)[1].truth)
    with torch.no_grad():
        tokens = learner.truth(told, words)
        right, wrong = (learner.truth.loss(said, told, words) for said in (tokens, tokens.roll(1, 1)))
    assert right["tokens"] < 1e-6
    assert wrong["tokens"] > 0.5
    assert right["said"] < 0.3 * wrong["said"]


def test_small_print_is_not_asked_for_the_sides_of_an_object() -> None:
    page = draw_list(3)
    truth = pack_views([view_truth(page, (0, 0, *map(float, page.image.size)))], []).truth
    assert (truth.looks > 0).any(), "print too small to be read"
    head = DenseHead(8)
    assert not {"sides", "overlap"} & head.loss(torch.zeros(1, 256, 8), truth).keys()


def test_no_attention_lets_an_answer_see_what_follows(tokenizer: PreTrainedTokenizerFast) -> None:
    """Fused attention takes a mask as truths, the plain one adds it to the scores."""
    torch.manual_seed(0)
    learner = Learner(tokenizer).eval()
    batch = LessonBatches(3, 3, tokenizer, pixels=True)[0]
    losses = {}
    for attention in ("sdpa", "eager"):
        assert learner.model
        learner.model.set_attn_implementation(attention)
        with torch.no_grad():
            losses[attention] = float(learner(batch, "all")["answers"])
    assert losses["sdpa"] == pytest.approx(losses["eager"], rel=1e-3)


def test_muon_makes_every_direction_learn_alike() -> None:
    torch.manual_seed(0)
    stretched = torch.randn(3, 16, 40) * torch.logspace(0, -2, 16)[:, None]
    for matrices in (stretched, stretched.transpose(1, 2)):
        values = torch.linalg.svdvals(orthogonal(matrices))
        assert values.min() > 0.3
        assert values.max() < 1.3


def test_muon_steps_as_torch_does() -> None:
    torch.manual_seed(0)
    start = [torch.randn(8, 12), torch.randn(8, 12), torch.randn(12, 8)]
    ours, theirs = ([torch.nn.Parameter(part.clone()) for part in start] for _ in range(2))
    optimisers = (
        Muon([{"params": ours, "lr": 0.1}], weight_decay=0.05),
        torch.optim.Muon(theirs, lr=0.1, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
    )
    for _ in range(3):
        for parameters, optimiser in zip((ours, theirs), optimisers, strict=True):
            optimiser.zero_grad()
            sum((part**2).sum() + part.sum() for part in parameters).backward()
            optimiser.step()
    for one, other, begun in zip(ours, theirs, start, strict=True):
        assert not torch.allclose(one, begun)
        assert torch.allclose(one, other, atol=0.02), "bfloat16 there, float32 here"


def test_a_small_view_is_seen_as_part_of_a_tile() -> None:
    """The whole tile's first patches, alone, at their place: the same positions, whatever the size."""
    vision = fresh_vision().eval()
    pixels = torch.randn(1, 3, 448, 448)
    with torch.no_grad():
        whole = see(vision, pixels, torch.tensor([[0, 0]]))
        assert torch.allclose(whole, vision(pixel_values=pixels).last_hidden_state[:, 1:], atol=1e-5)
        here, there = (see(vision, pixels[..., :112, :112], torch.tensor([[row, 2]])) for row in (0, 12))
    assert here.shape == (1, 16, whole.shape[-1])
    assert not torch.allclose(here, there)


def test_the_rate_rises_stays_and_falls() -> None:
    recipe = RECIPES["vision-448"]
    shares = [rate_at(step, recipe) for step in range(recipe.steps + 1)]
    assert shares[0] < 0.05
    assert max(shares) == shares[recipe.steps // 2] == 1.0
    assert shares[-1] == 0.0


@pytest.mark.parametrize(
    ("stage", "missing"), [("vision-224", "vision-112"), ("align", "vision-448"), ("all", "align")]
)
def test_a_stage_names_the_one_that_it_needs(stage: str, missing: str, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=missing):
        train(stage, tmp_path, steps=1, workers=0, device="cpu")


def test_an_unknown_stage_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="vision-112"):
        train("everything", tmp_path)


def test_training_learns_stops_and_goes_on(run: Path) -> None:
    """Twenty steps of the first stage: the loss falls; a second command goes on where the first stopped."""
    torch.manual_seed(0)
    first = train("vision-112", run, steps=5, workers=0, device="cpu")
    last = train("vision-112", run, steps=20, workers=0, device="cpu")
    assert (first["step"], last["step"]) == (5, 20)
    assert last["looks"] < first["looks"]


def test_processes_train_as_one(run: Path) -> None:
    """Two processes with a batch each: a log of one line a step, and weights that both agree upon."""
    last = train("vision-112", run, steps=2, workers=0, processes=2, device="cpu")
    assert last["step"] == 2
    assert len((run / "log.jsonl").read_text().splitlines()) == 1
    run_together(2, run, _gradients, run)
    means = [torch.load(run / f"{number}.pt", weights_only=True) for number in range(2)]
    assert torch.equal(means[0], torch.tensor([[0.5, 0.5], [1.0, 1.0]]))
    assert torch.equal(means[0], means[1])


def _gradients(folder: Path) -> None:
    """Process n has the gradient n for one parameter; for the other only the second has any."""
    one, other = (torch.nn.Parameter(torch.zeros(2)) for _ in range(2))
    one.grad = torch.full((2,), float(rank()))
    if rank():
        other.grad = torch.full((2,), 2.0)
    share_gradients([one, other])
    assert one.grad is not None and other.grad is not None
    torch.save(torch.stack([one.grad, other.grad]), folder / f"{rank()}.pt")


def test_a_failure_of_one_process_ends_all(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="the second has failed"):
        run_together(2, tmp_path, _fail_in_the_second)


def _fail_in_the_second() -> None:
    """Process 0 waits for a gradient that never comes."""
    if rank():
        raise ValueError("the second has failed")
    share_gradients([torch.nn.Parameter(torch.zeros(2))])


def test_what_goes_on_has_the_rate_of_its_recipe(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train("vision-112", run, steps=1, workers=0, device="cpu")
    before = torch.load(run / "vision-112.pt", weights_only=True)["weights"]
    monkeypatch.setitem(RECIPES, "vision-112", replace(RECIPES["vision-112"], rate=0.0))
    train("vision-112", run, steps=2, workers=0, device="cpu")
    after = torch.load(run / "vision-112.pt", weights_only=True)
    assert after["step"] == 2
    assert all(torch.equal(part, after["weights"][name]) for name, part in before.items())


def test_published_weights_go_on_with_heads_of_their_own(run: Path) -> None:
    """The finished model stands still while its heads learn; then all of it learns."""
    train("heads", run, steps=1, workers=0, device="cpu")
    published = load_file(NANO_DIR / "model.safetensors")
    heads = torch.load(run / "heads.pt", weights_only=True)["weights"]
    name = "vision_tower.encoder.layer.0.mlp.fc1.weight"
    assert torch.equal(heads[f"model.model.{name}"], published[name].float())
    train("all", run, steps=1, after="heads", workers=0, device="cpu")
    learned = torch.load(run / "all.pt", weights_only=True)["weights"]
    assert not torch.equal(learned[f"model.model.{name}"], heads[f"model.model.{name}"])


def test_numbers_learn_beside_their_neighbours(tokenizer: PreTrainedTokenizerFast) -> None:
    learner = Learner(tokenizer)
    assert learner.model
    words = learner.model.get_input_embeddings()
    ids = tokenizer.convert_tokens_to_ids(["500", "STOP"])
    words(torch.tensor(ids)).sum().backward()
    assert isinstance(words.weight, torch.Tensor) and words.weight.grad is not None
    learned = words.weight.grad[learner.number_ids].mean(1)
    assert learned.argmax() == 500
    assert learned[500] > learned[503] > 100 * learned[520]
    assert learned.sum().item() == pytest.approx(1.0, abs=1e-4)
    assert words.weight.grad[ids[1]].mean() == 1.0


def test_every_stage_teaches_what_it_should_and_leaves_the_rest(run: Path) -> None:
    """The whole recipe, a step a stage, from nothing to a model that loads."""
    for stage in STAGES:
        if stage != "heads":
            train(stage, run, steps=1, workers=0, device="cpu")

    def kept(stage: str, part: str) -> list[torch.Tensor]:
        weights = torch.load(run / f"{stage}.pt", weights_only=True)["weights"]
        return [weights[name] for name in sorted(weights) if name.startswith(part) and weights[name].ndim > 1]

    def same(before: str, after: str, part: str, then: str = "") -> bool:
        pairs = list(zip(kept(before, part), kept(after, then or part), strict=True))
        assert pairs
        moved = [not torch.equal(one, other) for one, other in pairs]
        assert all(moved) or not any(moved), f"only some of {part} learned in {after}"
        return not any(moved)

    vision, decoder, mlp = (
        "model.model.vision_tower.encoder",
        "model.model.language_model.layers",
        "model.model.multi",
    )
    assert not same("vision-448", "align", "vision.encoder", vision)
    assert same("language", "align", decoder), "the decoder is frozen"
    assert not same("language", "align", mlp)
    for part in (vision, decoder, mlp):
        assert not same("align", "all", part)
    export_model(run, "all", run / "model")
    assert (run / "model" / "model.safetensors").exists()


def test_the_card_says_what_the_weights_can_do() -> None:
    card = (NANO_DIR / "README.md").read_text("utf-8")
    assert all(word in card for word in ("locate", "count", "does not"))
    assert sum(path.stat().st_size for path in NANO_DIR.iterdir()) <= 40 * 2**20
