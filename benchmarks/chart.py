"""Draws the results as an SVG; equal results give an equal file. The only module that needs matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.table import Report

_COLOURS: Final = {"chat": "#1f6f8b", "ngircd": "#c9a66b"}
_CLIENTS: Final = {"fan10": "10", "fan100": "100", "fan1000": "1,000"}
# Each panel: its title, the metric, a divisor for the figures, and the cells with their labels.
_PANELS: Final = (
    ("million deliveries/s\nby clients; more is better", "deliveries/s", 1e6, _CLIENTS),
    ("CPU s per million deliveries\nby clients; less is better", "CPU s/million", 1.0, _CLIENTS),
    ("thousand messages/s\nto 100, one in flight", "messages/s", 1e3, {"one100": ""}),
    ("thousand messages/s\ndirect, 50 pairs", "messages/s", 1e3, {"direct50": ""}),
)


def draw(report: Report, path: Path) -> None:
    mpl.rcParams.update({"svg.hashsalt": "chat", "svg.fonttype": "none", "font.size": 9, "axes.titlesize": 9})
    machine, cells = report["machine"], report["cells"]
    programs = {"chat": "this service", "ngircd": f"ngircd {machine['ngircd']}"}
    shown = [program for program in programs if any(program in results for results in cells.values())]
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    figure.suptitle(f"{machine['CPU']}, {machine['cores']} cores, {machine['system']}, Python {machine['Python']}")
    panels = figure.subplots(1, len(_PANELS), width_ratios=[len(names) + 1 for *_, names in _PANELS])
    for axes, (title, metric, unit, names) in zip(panels, _PANELS, strict=True):
        width = 0.8 / len(shown)
        for place, program in enumerate(shown):
            figures = [cells.get(cell, {}).get(program, {}).get(metric, 0.0) / unit for cell in names]
            at = [number + (place - (len(shown) - 1) / 2) * width for number in range(len(names))]
            bars = axes.bar(at, figures, width, color=_COLOURS[program], label=programs[program])
            axes.bar_label(bars, fmt="%.3g", fontsize=7, padding=1)
        axes.set_title(title)
        axes.set_xticks(range(len(names)), names.values())
        axes.tick_params(axis="x", length=0)
        axes.margins(y=0.12)
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(shown), frameon=False)
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
