"""Cuts of trousers, skirts, dresses and shoes, by name; units as in `wardrobe`."""

from sherf.datasets.openpeople.wardrobe import DressCut, LegCut, ShoeCut, SkirtCut, TopCut

LEGS: dict[str, LegCut] = {
    "jeans": LegCut("denim", (0.96, 1.0), (0.05, 0.12), (0.0, 0.02), ("jeans", "belt?", "torn knees?")),
    "slim jeans": LegCut("denim", (0.95, 0.99), (0.0, 0.04), (0.0, 0.004), ("jeans", "torn knees?"), fold=0.004),
    "chinos": LegCut("trousers", (0.95, 1.0), (0.06, 0.14), (0.0, 0.02), ("trouser pockets", "belt?", "crease?")),
    "wide trousers": LegCut(
        "trousers", (0.9, 1.0), (0.15, 0.25), (0.04, 0.08), ("trouser pockets", "crease?", "belt?")
    ),
    "shorts": LegCut("trousers", (0.3, 0.5), (0.15, 0.25), (0.0, 0.03), ("trouser pockets", "belt?")),
    "denim shorts": LegCut("denim", (0.2, 0.4), (0.08, 0.16), (0.0, 0.02), ("jeans",)),
    "sport shorts": LegCut("sport", (0.25, 0.45), (0.18, 0.28), (0.01, 0.04), ("drawstring", "side stripes?")),
    "joggers": LegCut(
        "sport",
        (0.93, 0.97),
        (0.12, 0.2),
        (0.0, 0.01),
        ("drawstring", "rib ankles", "side stripes?"),
        0.006,
        0.009,
        True,
    ),
    "leggings": LegCut(
        "leggings", (0.7, 0.98), (0.0, 0.0), (0.0, 0.0), ("side stripes?",), 0.0035, 0.001, worn_by="feminine"
    ),
    "cargo trousers": LegCut(
        "trousers", (0.94, 0.99), (0.12, 0.2), (0.01, 0.03), ("trouser pockets", "cargo pockets", "belt?"), is_test=True
    ),
    "flared trousers": LegCut(
        "denim", (0.97, 1.0), (0.02, 0.05), (0.05, 0.09), ("jeans", "belt?"), worn_by="feminine", is_test=True
    ),
    "capri trousers": LegCut("trousers", (0.6, 0.78), (0.03, 0.1), (0.0, 0.02), ("trouser pockets",), is_test=True),
    "tracksuit trousers": LegCut(
        "sport", (0.95, 1.0), (0.1, 0.16), (0.01, 0.03), ("drawstring", "side stripes"), 0.006, is_test=True
    ),
}
SKIRTS: dict[str, SkirtCut] = {
    "mini skirt": SkirtCut("denim", (0.16, 0.3), (0.02, 0.2), trims=("jeans",)),
    "pencil skirt": SkirtCut("trousers", (0.4, 0.55), (-0.06, 0.02), pleat=0.0, trims=("belt?",)),
    "flared skirt": SkirtCut("dress", (0.3, 0.55), (0.25, 0.6), trims=("hem border?", "belt?")),
    "long skirt": SkirtCut("dress", (0.75, 0.98), (0.1, 0.4), trims=("tiers?", "hem border?"), slit=True),
    "pleated skirt": SkirtCut("suiting", (0.25, 0.6), (0.15, 0.4), (22, 34), 0.010, ("hem border?",), is_test=True),
    "buttoned skirt": SkirtCut("shirting", (0.35, 0.7), (0.08, 0.3), trims=("skirt buttons", "belt?"), is_test=True),
}
_BODICE = TopCut(
    "dress", (-1.0, 0.3), (0.01, 0.01), (0.0, 0.03), ("scoop", "v", "crew", "square"), None, ("cuffs",), 0.12
)
DRESSES: dict[str, DressCut] = {
    "summer dress": DressCut(_BODICE, SkirtCut("dress", (0.3, 0.5), (0.25, 0.55), trims=("sash?", "hem border?"))),
    "sheath dress": DressCut(_BODICE, SkirtCut("dress", (0.28, 0.5), (0.0, 0.06), pleat=0.002, trims=("belt?",))),
    "long dress": DressCut(
        _BODICE, SkirtCut("dress", (0.75, 0.97), (0.12, 0.45), trims=("sash?", "tiers?"), slit=True)
    ),
    "long-sleeved dress": DressCut(
        TopCut("dress", (0.6, 0.99), (0.01, 0.01), (0.0, 0.03), ("crew", "v", "mock"), None, ("cuffs",), 0.15),
        SkirtCut("dress", (0.3, 0.7), (0.1, 0.4), trims=("sash?",)),
    ),
    "shirt dress": DressCut(
        TopCut(
            "shirting", (0.3, 0.99), (0.01, 0.01), (0.01, 0.04), ("shirt",), "shirt", ("placket", "chest pocket?"), 0.2
        ),
        SkirtCut("shirting", (0.3, 0.6), (0.08, 0.3), trims=("belt", "skirt buttons")),
        is_test=True,
    ),
    "boat-neck dress": DressCut(
        TopCut("dress", (0.5, 0.75), (0.01, 0.01), (0.0, 0.02), ("boat",), None, ("contrast cuffs?",), 0.1),
        SkirtCut("dress", (0.35, 0.6), (0.2, 0.5), (24, 36), 0.009, ("sash",)),
        is_test=True,
    ),
}
SHOES: dict[str, ShoeCut] = {
    "sneakers": ShoeCut((-0.005, 0.015), (0.016, 0.03), laced=True),
    "loafers": ShoeCut((-0.015, 0.0), (0.012, 0.02), low_front=0.018),
    "ankle boots": ShoeCut((0.05, 0.09), (0.016, 0.03), laced=True, shaft=0.08),
    "long boots": ShoeCut((0.2, 0.3), (0.018, 0.03), shaft=0.12, worn_by="feminine"),
    "ballet flats": ShoeCut((-0.025, -0.015), (0.010, 0.014), low_front=0.024, socks=False, worn_by="feminine"),
    "high-tops": ShoeCut((0.03, 0.06), (0.018, 0.028), laced=True, is_test=True),
    "wellingtons": ShoeCut((0.16, 0.24), (0.018, 0.026), shaft=0.25, is_test=True),
    "slip-ons": ShoeCut((-0.01, 0.005), (0.016, 0.026), low_front=0.012, socks=False, is_test=True),
}
