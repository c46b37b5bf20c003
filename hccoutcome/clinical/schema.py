"""The clinical schema: every variable with its unit, limits and coding, declared once.

The variables are those of the published systems (PRIME, SELECTION, Clinical/CR/CRH) and of the liver function and
staging scores. ``limits`` are what no patient exceeds: a value beyond them is a typing or unit mistake and is refused.
``typical`` is what patients with hepatocellular carcinoma usually have: a value beyond it is worth a look.
"""

from __future__ import annotations

from collections.abc import Mapping

from hccoutcome.clinical import units
from hccoutcome.clinical.variable import Code, Range, Variable


def _number(
    name: str,
    title: str,
    table: Mapping[str, float],
    limits: Range,
    typical: Range,
    synonyms: tuple[str, ...] = (),
    loinc: str = "",
    description: str = "",
) -> Variable:
    return Variable(name, title, "number", table, limits, typical, (), synonyms, description, loinc)


def _binary(name: str, title: str, *synonyms: str, description: str = "", codes: tuple[Code, ...] = ()) -> Variable:
    return Variable(name, title, "binary", codes=codes, synonyms=synonyms, description=description)


def _category(name: str, title: str, codes: tuple[Code, ...], *synonyms: str, description: str = "") -> Variable:
    return Variable(name, title, "category", codes=codes, synonyms=synonyms, description=description)


_SEX = (Code("female", 0, ("f", "woman", "w")), Code("male", 1, ("m", "man")))
_STAGES = (
    Code("0", 0, ("bclc 0", "stage 0")),
    Code("A", 1, ("a", "bclc a", "stage a", "a1", "a2", "a3", "a4")),
    Code("B", 2, ("b", "bclc b", "stage b", "b1", "b2", "b3", "b4")),
    Code("C", 3, ("c", "bclc c", "stage c")),
    Code("D", 4, ("d", "bclc d", "stage d")),
)
_CHILD_PUGH = (
    Code("A", 1, ("a", "class a", "cp a", "child a", "a5", "a6", "5", "6")),
    Code("B", 2, ("b", "class b", "cp b", "child b", "b7", "b8", "b9", "7", "8", "9")),
    Code("C", 3, ("c", "class c", "cp c", "child c", *(f"{p}{n}" for p in ("", "c") for n in range(10, 16)))),
)
_ASCITES = (
    Code("none", 0, ("no", "n", "absent", "absence", "false", "0", "nil", "nein")),
    Code("slight", 1, ("mild", "small", "controlled", "easily controlled", "grade 1", "1")),
    Code("moderate", 2, ("severe", "moderate severe", "massive", "large", "tense", "refractory", "poorly controlled",
                         "uncontrolled", "grade 2", "grade 3", "2", "3")),
    Code("present", 1, ("yes", "y", "presence", "true", "ja")),
)  # fmt: skip
_ENCEPHALOPATHY = (
    Code("none", 0, ("no", "n", "absent", "absence", "false", "0", "grade 0")),
    Code("grade 1-2", 1, ("1", "2", "i", "ii", "i ii", "1 2", "grade 1", "grade 2", "grade i", "grade ii", "grade i ii",
                          "mild", "minimal")),
    Code("grade 3-4", 2, ("3", "4", "iii", "iv", "iii iv", "3 4", "grade 3", "grade 4", "grade iii", "grade iv",
                          "grade iii iv", "severe", "advanced")),
)  # fmt: skip
_MORPHOLOGY = (
    Code("uninodular", 0, ("single", "solitary", "unifocal")),
    Code("multinodular", 1, ("multiple", "multifocal")),
    Code("massive", 2, ("diffuse", "infiltrative")),
)
_HEPATITIS = (
    Code("no", 0, ("no virus", "none")),
    Code("yes", 1, ("hbv", "hcv", "hbv only", "hcv only", "hcv and hbv", "hbv and hcv", "hbv hcv", "both")),
)

PATIENT = (
    _number("age", "Age", units.YEARS, (0, 120), (18, 95)),
    _category("sex", "Sex", _SEX, "gender"),
    _number("height", "Body height", units.BODY_HEIGHT, (100, 250), (140, 205), ("body height",), "8302-2"),
    _number("weight", "Body weight", units.BODY_WEIGHT, (25, 300), (35, 160), ("body weight",), "29463-7"),
    _number("bmi", "Body mass index", units.BMI, (10, 80), (15, 45), ("body mass index",), "39156-5"),
    Variable(
        "ecog", "ECOG performance status", "integer", limits=(0, 4),
        codes=tuple(Code(str(n), n, (f"ps {n}", f"ecog {n}", f"ps{n}")) for n in range(5)),
        synonyms=("ecog ps", "performance status", "ps", "ecog performance status"),
    ),
    _binary("comorbidity", "Comorbidity", "comorbidities", description="any chronic disease beside that of the liver"),
    _binary("hbv", "Hepatitis B", "hbsag", "hepatitis b", "hbv infection", "hepatitis b virus"),
    _binary("hcv", "Hepatitis C", "hcvab", "anti hcv", "hepatitis c", "hcv infection", "hepatitis c virus"),
    _binary("hepatitis", "Viral hepatitis", "viral hepatitis", description="hepatitis B or C", codes=_HEPATITIS),
    _binary("cirrhosis", "Cirrhosis", "evidence of cirh", "liver cirrhosis"),
    _binary("smoking", "Smoking", "smoker", description="now or formerly"),
    _binary("alcohol", "Alcohol", "alcohol abuse", "alcohol use", description="use that harms the liver"),
    _binary("diabetes", "Diabetes", "diabetes mellitus"),
)  # fmt: skip

LABORATORY = (
    _number("alt", "Alanine aminotransferase", units.ENZYME, (1, 20000), (5, 1000), ("gpt", "sgpt"), "1742-6"),
    _number("ast", "Aspartate aminotransferase", units.ENZYME, (1, 20000), (5, 1500), ("got", "sgot"), "1920-8"),
    _number(
        "tbil", "Total bilirubin", units.BILIRUBIN, (1.5, 1200), (4, 500),
        ("total bil", "bilirubin", "bil", "tb", "t bil"), "14631-6",
    ),
    _number("alb", "Albumin", units.ALBUMIN, (10, 70), (18, 55), ("serum albumin",), "1751-7"),
    _number("ldh", "Lactate dehydrogenase", units.ENZYME, (20, 20000), (80, 3000), (), "2532-0"),
    _number(
        "afp", "Alpha-fetoprotein", units.AFP, (0.1, 1e7), (0.5, 2e6),
        ("alfa fetoprotein", "alpha 1 fetoprotein", "α fetoprotein"), "1834-1",
    ),
    _number(
        "pivka", "PIVKA-II (des-gamma-carboxyprothrombin)", units.PIVKA, (0.1, 1e7), (5, 1e6),
        ("pivka ii", "dcp", "des gamma carboxyprothrombin"),
    ),
    _number("pt", "Prothrombin time", units.SECONDS, (5, 150), (9, 30), (), "5902-2"),
    _number(
        "pt_prolongation", "Prothrombin time above the control", units.SECONDS, (-10, 140), (-3, 20),
        ("pt prolonged", "prothrombin time prolongation"),
    ),
    _number("inr", "International normalised ratio", units.RATIO, (0.5, 20), (0.8, 5), ("pt inr",), "6301-6"),
    _number(
        "lym", "Lymphocytes", units.CELLS, (0.02, 15), (0.2, 6),
        ("lymphocyte", "lymphocyte count", "alc", "lymph"), "731-0",
    ),
    _number(
        "neu", "Neutrophils", units.CELLS, (0.05, 40), (0.5, 20),
        ("neutrophil", "neutrophil count", "anc", "neut"), "751-8",
    ),
    _number(
        "mon", "Monocytes", units.CELLS, (0.01, 5), (0.05, 2), ("monocyte", "monocyte count", "mono"), "742-7"
    ),
    _number(
        "plt", "Platelets", units.CELLS, (5, 2000), (20, 800), ("platelet", "platelet count", "thrombocytes"), "777-3"
    ),
    _number("creatinine", "Creatinine", units.CREATININE, (10, 2500), (30, 900), ("crea", "cr"), "14682-9"),
    _number("crp", "C-reactive protein", units.CRP, (0.01, 700), (0.1, 300), (), "1988-5"),
)  # fmt: skip

TUMOUR = (
    Variable(
        "tumor_number", "Number of tumours", "integer", limits=(1, 200), typical=(1, 30),
        codes=(Code("1", 1, ("single", "solitary")),), synonyms=("tumour number", "nodules", "number of tumors"),
    ),
    _number(
        "tumor_diameter", "Diameter of the largest tumour", units.DIAMETER, (0.1, 40), (0.5, 25),
        ("tumour diameter", "d tumor", "tumor size", "tumour size", "largest diameter", "maximum tumor diameter",
         "maximum tumour diameter", "major dim", "tr size"),
    ),
    Variable(
        "tumor_morphology", "Morphology of the tumour", "category", codes=_MORPHOLOGY, nominal=True,
        synonyms=("tumour morphology", "tumor nodul"),
    ),
    _number(
        "tumor_extent", "Share of the liver taken by tumour", units.PERCENT, (0, 100), (1, 100),
        ("tumour extent",), description="of the liver, tumours included",
    ),
    _binary(
        "tumor_over_half", "Tumour takes more than half of the liver", "tumour over half", "t involvment",
        "tumor involvement", codes=(Code("no", 0, ("<=50%", "< or = 50%")), Code("yes", 1, (">50%",))),
    ),
    Variable(
        "pvtt", "Portal vein tumour thrombus (VP grade)", "integer", limits=(0, 4),
        codes=tuple(Code(str(n), n, (f"vp{n}", f"vp {n}")) for n in range(5)),
        synonyms=("vp", "portal vein tumor thrombus", "portal vein tumour thrombus"),
        description="0 none, 1 beyond the second-order branches, 2 second-order branches, 3 first-order branch, "
        "4 main trunk or opposite branch",
    ),
    _binary(
        "portal_vein_thrombus", "Portal vein thrombus", "pvt", "portal vein thrombosis",
        description="VP1 or more",
    ),
    _binary("hvtt", "Hepatic vein tumour thrombus", "hepatic vein tumor thrombus"),
    _binary(
        "vascular_invasion", "Macrovascular invasion", "vi", "macrovascular invasion",
        description="tumour in a portal or hepatic vein on imaging",
    ),
    _binary("metastasis", "Extrahepatic metastasis", "ehm", "extrahepatic metastasis", "metastases"),
    _binary("lymph_node", "Lymph node metastasis", "lymph nodes", "lymphnodes", "lymph node metastasis"),
    _category("bclc", "BCLC stage", _STAGES, "bclc stage", "barcelona clinic liver cancer"),
)  # fmt: skip

LIVER = (
    _category(
        "ascites", "Ascites", _ASCITES,
        description="'slight' is easily controlled, 'moderate' is more than that, 'present' is of unknown grade",
    ),
    _category("encephalopathy", "Hepatic encephalopathy", _ENCEPHALOPATHY, "hepatic encephalopathy", "he"),
    _category("child_pugh", "Child-Pugh class", _CHILD_PUGH, "child pugh class", "cps", "ctp", "child turcotte pugh"),
    Variable(
        "child_pugh_points", "Child-Pugh points", "integer", limits=(5, 15), synonyms=("child pugh score", "ctp score")
    ),
)  # fmt: skip

TREATMENT = (
    Variable(
        "haic_sessions", "Sessions of arterial infusion chemotherapy", "integer", limits=(0, 30), typical=(1, 12),
        synonyms=("number of haic sessions",),
    ),
)  # fmt: skip
