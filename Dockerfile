# VEC-Envs with headless SUMO and the learners, on torch's CPU build.
#   docker build -t vec-envs .
#   docker run --rm -v "$PWD/runs:/home/vec/runs" vec-envs python -m trainers.qmix --env.mobility replay
FROM python:3.12-slim-bookworm

# libsumo needs these libraries, although it opens no window.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends -y libatomic1 libgl1 libx11-6 libxext6 libxrender1 \
    && rm -rf /var/lib/apt/lists/*

ENV PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1 MPLBACKEND=Agg

WORKDIR /opt/vec-envs
COPY constraints.txt ./
RUN pip install --index-url https://download.pytorch.org/whl/cpu "$(grep '^torch==' constraints.txt)"
COPY pyproject.toml README.md LICENSE ./
COPY vec_envs vec_envs
COPY trainers trainers
COPY benchmarks benchmarks
COPY sumo_scenarios sumo_scenarios
RUN pip install -c constraints.txt ".[train,render]" && python -m vec_envs

RUN useradd --create-home --uid 1000 vec && mkdir /home/vec/runs && chown vec:vec /home/vec/runs
USER 1000
WORKDIR /home/vec
CMD ["python", "-m", "vec_envs"]
