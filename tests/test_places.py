"""Free-text lists of countries become places; whatever is not understood is listed, not guessed."""

import csv
import itertools
import os
import re
import string
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upr_analysis import places
from upr_analysis.places import Place, Resolution, all_places, groups_of, name_of, place, resolve
from upr_analysis.problems import InputError

SHARED = Path(os.environ.get("UPR_SHARED", Path(__file__).parents[2] / "shared"))
OFFICIAL = SHARED / "data" / "country_names"
needs_official_lists = pytest.mark.skipif(
    not OFFICIAL.is_dir(), reason=f"the official lists of country names are not in {OFFICIAL}"
)

# answer -> places, unknown pieces; written before the code was
UNDERSTOOD = [
    # one country, three languages, articles, case, accents, punctuation
    ("Kenya", "KEN"),
    ("  kenya. ", "KEN"),
    ("Le Sénégal", "SEN"),
    ("AFGHANISTAN (L')", "AFG"),
    ("l’Algérie", "DZA"),
    ("Los Países Bajos", "NLD"),
    ("Holland", "NLD"),
    ("cote d'ivoire", "CIV"),
    ("Côte d’Ivoire", "CIV"),
    ("Cote dIvoire", "CIV"),
    ("Ivory Coast", "CIV"),
    ("Costa de Marfil", "CIV"),
    ("El Salvador", "SLV"),
    ("the Gambia", "GMB"),
    ("St. Lucia", "LCA"),
    ("Saint Lucia", "LCA"),
    ("Ste-Lucie", "LCA"),
    # other names and abbreviations
    ("Swaziland", "SWZ"),
    ("Burma", "MMR"),
    ("Birmanie", "MMR"),
    ("Turkey", "TUR"),
    ("Türkiye", "TUR"),
    ("Turquía", "TUR"),
    ("Czech Republic", "CZE"),
    ("Cape Verde", "CPV"),
    ("Cap-Vert", "CPV"),
    ("FYROM", "MKD"),
    ("Macedonia", "MKD"),
    ("East Timor", "TLS"),
    ("UK", "GBR"),
    ("U.K.", "GBR"),
    ("Great Britain", "GBR"),
    ("Scotland", "GBR"),
    ("USA", "USA"),
    ("U.S.A.", "USA"),
    ("US", "USA"),
    ("EE.UU.", "USA"),
    ("EE. UU.", "USA"),
    ("UAE", "ARE"),
    ("DRC", "COD"),
    ("RDC", "COD"),
    ("R.D. Congo", "COD"),
    ("DR Congo", "COD"),
    ("Congo-Kinshasa", "COD"),
    ("Congo (Brazzaville)", "COG"),
    ("Congo, Democratic Republic of the", "COD"),
    ("Republic of Congo", "COG"),
    ("North Korea", "PRK"),
    ("DPRK", "PRK"),
    ("Corée du Sud", "KOR"),
    ("Korea, Republic of", "KOR"),
    ("Iran (Islamic Republic of)", "IRN"),
    ("Vietnam", "VNM"),
    ("Palestine", "PSE"),
    ("Occupied Palestinian Territory", "PSE"),
    ("the Vatican", "VAT"),
    ("Kosovo", "XKX"),
    ("Taiwan", "TWN"),
    ("Hong Kong", "HKG"),
    # names that others hide in
    ("Niger", "NER"),
    ("Nigeria", "NGA"),
    ("Dominica", "DMA"),
    ("Dominican Republic", "DOM"),
    ("Guinea", "GIN"),
    ("Guinée Conakry", "GIN"),
    ("Guinea Bissau", "GNB"),
    ("Guinea Ecuatorial", "GNQ"),
    ("Papouasie-Nouvelle-Guinée", "PNG"),
    ("Central African Republic", "CAF"),
    ("Centrafrique", "CAF"),
    ("South Africa", "ZAF"),
    ("South Sudan", "SSD"),
    # several
    ("Kenya, Uganda; Tanzania / Rwanda\nBurundi", "KEN UGA TZA RWA BDI"),
    ("Mali et Niger", "MLI NER"),
    ("Francia e Italia", "FRA ITA"),
    ("Perú y Bolivia", "PER BOL"),
    ("Kenya & Kenia, KENYA", "KEN"),
    ("Kenya Uganda South Sudan", "KEN UGA SSD"),
    ("Bosnia and Herzegovina", "BIH"),
    ("Bosnia & Herzegovina, Serbia and Montenegro", "BIH SRB MNE"),
    ("Trinidad and Tobago and Antigua y Barbuda", "TTO ATG"),
    ("Saint-Vincent-et-les-Grenadines et Sainte-Lucie", "VCT LCA"),
    ("Sao Tome & Principe", "STP"),
    ("Kenya, Korea, Republic of, Japan", "KEN KOR JPN"),
    ("Israel/Palestine", "ISR PSE"),
    ("North and South Korea", "PRK KOR"),
    ("1. Kenya 2. Uganda", "KEN UGA"),
    ("- Kenya\n- Uganda", "KEN UGA"),
    ("Islas Malvinas (Falkland),\nMiddle East and North Africa", "FLK MENA"),
    # misspelt
    ("Phillipines", "PHL"),
    ("Cameroune", "CMR"),
    ("Kazakstan", "KAZ"),
    ("Zimbabwee", "ZWE"),
    ("Afganistan", "AFG"),
    ("Bosna and Herzegovina", "BIH"),
    ("Guatamala", "GTM"),
    ("Columbia", "COL"),
    ("Central Africa Republic", "CAF"),
    ("Antigua & Berbuda", "ATG"),
    ("Republic of Kosovo", "XKX"),
    # regions and the world
    ("worldwide", "WORLD"),
    ("Global", "WORLD"),
    ("Monde entier", "WORLD"),
    ("todo el mundo", "WORLD"),
    ("West Africa", "WESTERN_AFRICA"),
    ("Afrique de l'Ouest", "WESTERN_AFRICA"),
    ("América Latina", "LATIN_AMERICA"),
    ("Latin America and the Caribbean", "LATIN_AMERICA"),
    ("Europe", "EUROPE"),
    ("all of Africa", "AFRICA"),
    ("Middle East", "MIDDLE_EAST"),
    ("Middle East and North Africa", "MENA"),
    ("Asia and the Pacific", "ASIA_PACIFIC"),
    ("Pacific", "PACIFIC"),
    ("the Caribbean", "CARIBBEAN"),
    ("Commonwealth", "COMMONWEALTH"),
    ("Southeast Asia, Nepal", "SOUTH_EASTERN_ASIA NPL"),
]
NOT_UNDERSTOOD = [
    # names of more than one State
    ("Congo", "", ["Congo"]),
    ("le Congo", "", ["le Congo"]),
    ("Korea", "", ["Korea"]),
    ("Corée", "", ["Corée"]),
    ("America", "", ["America"]),
    ("Dominican", "", ["Dominican"]),
    ("República Dominica", "", ["República Dominica"]),
    ("Republic of China", "", ["Republic of China"]),
    ("Democratic Republic of Korea", "", ["Democratic Republic of Korea"]),
    ("Guiana", "", ["Guiana"]),
    ("Georgia, USA", "", ["Georgia, USA"]),
    ("Dominica Rep.", "", ["Dominica Rep."]),
    ("République dr Congo", "", ["République dr Congo"]),
    ("Fiji Islande", "", ["Fiji Islande"]),
    ("Estado de México", "", ["Estado de México"]),
    ("State of Georgia", "", ["State of Georgia"]),
    # misspelt between two, or too short to tell
    ("Nigera", "", ["Nigera"]),
    ("Nigerien", "", ["Nigerien"]),
    ("Zamgia", "", ["Zamgia"]),
    ("Slovekia", "", ["Slovekia"]),
    ("Slovania", "", ["Slovania"]),
    ("Austrlia", "", ["Austrlia"]),
    ("Austraia", "", ["Austraia"]),
    ("Mauritanius", "", ["Mauritanius"]),
    ("Irak, Iram", "IRQ", ["Iram"]),
    ("Chda", "", ["Chda"]),
    # places without a State of their own here, and those near one in spelling
    ("Somaliland", "", ["Somaliland"]),
    ("Kurdistan", "", ["Kurdistan"]),
    ("Tibet", "", ["Tibet"]),
    ("Siberia", "", ["Siberia"]),
    ("New Mexico", "", ["New Mexico"]),
    ("Niger State", "", ["Niger State"]),
    ("Republika Srpska", "", ["Republika Srpska"]),
    ("Northern Cyprus", "", ["Northern Cyprus"]),
    ("Yugoslavia", "", ["Yugoslavia"]),
    ("Nairobi, Kenya", "KEN", ["Nairobi"]),
    ("Sudan (Darfur)", "SDN", ["Darfur"]),
    ("London and Paris", "", ["London", "Paris"]),
    ("Atlanta, Georgia, USA", "", ["Atlanta", "Georgia, USA"]),
    # no places at all
    ("", "", []),
    (" ; , ", "", []),
    ("n/a", "", ["n/a"]),
    ("none", "", ["none"]),
    ("my country", "", ["my country"]),
    ("various", "", ["various"]),
    ("it is all of us", "", ["it is all of us"]),
    ("Human rights of women", "", ["Human rights of women"]),
    ("<b>Kenya</b>", "", ["<b>Kenya<", "b>"]),
    ("=1+1", "", ["=1+1"]),
    ("42", "", ["42"]),
    ("Freedonia, Kenya", "KEN", ["Freedonia"]),
    ("- Kenya\n- Freedonia", "KEN", ["Freedonia"]),
    ("Kenya, Freedonia, FREEDONIA", "KEN", ["Freedonia"]),
]


@pytest.mark.parametrize(("answer", "codes"), UNDERSTOOD)
def test_answer_is_understood(answer: str, codes: str) -> None:
    assert resolve(answer) == Resolution(tuple(codes.split()), ())


@pytest.mark.parametrize(("answer", "codes", "unknown"), NOT_UNDERSTOOD)
def test_what_is_not_understood_is_listed(answer: str, codes: str, unknown: list[str]) -> None:
    assert resolve(answer) == Resolution(tuple(codes.split()), tuple(unknown))


def test_one_wrong_letter_never_leads_to_another_place() -> None:
    """Each name of each place, in three languages, with a dozen of its misspellings.

    Left out are names whose parts are places by themselves ("Latin America and the Caribbean").
    """
    names = {name: member for member in all_places() for name in _names_in_one_piece(member)}
    rightly_spelt = {_in_any_order(name) for name in names}
    outcomes: list[bool] = []
    for name, member in names.items():
        if resolve(name).places == (member.code,):
            for misspelt in itertools.islice(_one_letter_wrong(name), 3, None, 4 * len(name)):
                if _in_any_order(misspelt) not in rightly_spelt:
                    assert set(resolve(misspelt).places) <= {member.code}, misspelt
                    outcomes.append(resolve(misspelt) == resolve(name))
    assert len(outcomes) > 10_000
    assert sum(outcomes) > 0.55 * len(outcomes)  # the others are listed for a researcher


def _names_in_one_piece(member: Place) -> list[str]:
    names = {*member.also, *(name_of(member.code, language) for language in ("en", "fr", "es"))}
    several = re.compile("[A-Z]{2}|,|&| and | et | y |[(]|Commonwealth")  # or an abbreviation
    return sorted(name for name in names if not several.search(name))


def _in_any_order(name: str) -> tuple[str, ...]:
    return tuple(sorted(places.fold(name).split()))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("Guinea", "Guinea-Bissau"), ("Guinea", "Equatorial Guinea"), ("Niger", "Nigeria")),
        *(("Dominica", "Dominican Republic"), ("Austria", "Australia"), ("Iran", "Iraq")),
        *(("Mali", "Malawi"), ("Slovakia", "Slovenia"), ("Mauritania", "Mauritius")),
        *(("North Korea", "South Korea"), ("Gambia", "Zambia"), ("Ireland", "Iceland")),
    ],
)
def test_names_that_are_near_are_never_confused(one: str, other: str) -> None:
    for name, confused in ((one, other), (other, one)):
        for misspelt in _one_letter_wrong(name):
            if misspelt.casefold() not in {confused.casefold(), "irak"}:
                assert not set(resolve(misspelt).places) & set(resolve(confused).places), misspelt


def _one_letter_wrong(name: str) -> Iterator[str]:
    for at in range(len(name)):
        yield name[:at] + name[at + 1 :]
        yield name[:at] + name[at : at + 2][::-1] + name[at + 2 :]
        for letter in string.ascii_lowercase:
            yield name[:at] + letter + name[at + 1 :]
            yield name[:at] + letter + name[at:]


def test_two_states_stay_two_however_they_are_joined() -> None:
    states = [member.code for member in all_places() if member.kind == "state"]
    for language in ("en", "fr", "es"):
        names = {name_of(code, language): code for code in states if code not in ("COD", "COG")}
        for (one, first), (other, second) in itertools.pairwise(sorted(names.items())):
            for joint in (", ", " / ", "\n", "; ", " & ", " and ", " y ", " et ", " "):
                assert resolve(one + joint + other) == Resolution((first, second), ())
    assert resolve("Mexique, États-Unis").places == ("MEX", "USA")
    assert resolve("China, Taiwan").places == ("CHN", "TWN")
    assert resolve("Caribbean, Netherlands").places == ("CARIBBEAN", "NLD")


def test_words_that_can_be_cut_in_two_ways_are_not_cut() -> None:
    assert resolve("Asia Central Africa") == Resolution((), ("Asia Central Africa",))
    assert resolve("Asia, Central Africa").places == ("ASIA", "MIDDLE_AFRICA")


def test_correction_comes_before_everything_and_folds() -> None:
    decisions = {"the CONGO": ["COD"], "Kurdistan": ["IRQ", "TUR"], "various": []}
    assert resolve("Congo, kurdistan, Various, Freedonia", corrections=decisions) == Resolution(
        ("COD", "IRQ", "TUR"), ("Freedonia",)
    )
    assert resolve("Kenya", corrections={"kenya": ["UGA"]}).places == ("UGA",)
    whole = {"Kenya and some others": ["AFRICA"]}
    assert resolve("Kenya and some others!", corrections=whole) == Resolution(("AFRICA",), ())


@pytest.mark.parametrize(
    ("decisions", "message"),
    [
        ({"Congo": ["CDO"]}, "No place has the code 'CDO' in places.csv; did you mean 'CO"),
        ({"Congo": "COD"}, "The correction of 'Congo' is the text 'COD': write a list."),
    ],
)
def test_correction_to_no_place_is_an_error(decisions: dict[str, list[str]], message: str) -> None:
    with pytest.raises(InputError) as error:
        resolve("Kenya", corrections=decisions)
    assert message in str(error.value)


def test_other_languages_of_cldr_are_understood_when_asked_for() -> None:
    assert resolve("Deutschland und Kenia").places == ()
    assert resolve("Deutschland, Kenia", languages=("de",)).places == ("DEU", "KEN")
    assert resolve("Quênia", languages=("pt-BR",)).places == ("KEN",)
    with pytest.raises(InputError, match="CLDR has no names in the language 'xx'"):
        resolve("Kenya", languages=("xx",))


@given(st.text(max_size=60))
def test_no_text_breaks_it_and_each_unknown_piece_stays_unknown(text: str) -> None:
    for piece in resolve(text).unknown:
        assert resolve(piece).places == ()


@given(st.lists(st.sampled_from([answer for answer, _ in UNDERSTOOD]), min_size=1, max_size=4))
def test_lines_are_read_one_by_one(answers: list[str]) -> None:
    one_by_one = dict.fromkeys(code for answer in answers for code in resolve(answer).places)
    assert resolve("\n".join(answers)).places == tuple(one_by_one)


def test_every_member_state_is_in_one_regional_group() -> None:
    groups: dict[str, list[str]] = {}
    for member in all_places():
        if member.kind == "state":
            (group,) = groups_of(member.code, "un_group")
            groups.setdefault(group, []).append(member.code)
        elif member.kind in ("observer", "territory"):
            assert groups_of(member.code, "un_group") == ()
    assert {group: len(codes) for group, codes in groups.items()} == {
        "african": 54,
        "asia_pacific": 54,
        "eastern_european": 23,
        "grulac": 33,
        "weog": 29,
    }


@pytest.mark.parametrize(
    ("code", "scheme", "groups"),
    [
        ("KEN", "un_group", "african"),
        ("KEN", "m49_region", "africa"),
        ("KEN", "m49_subregion", "eastern_africa"),
        ("ISR", "un_group", "weog"),
        ("TUR", "un_group", "weog"),
        ("TUR", "m49_region", "asia"),
        ("CYP", "un_group", "asia_pacific"),
        ("USA", "un_group", "weog"),
        ("KIR", "un_group", "asia_pacific"),
        ("MEX", "m49_subregion", "central_america"),
        ("PSE", "un_group", ""),
        ("PSE", "m49_subregion", "western_asia"),
        ("WESTERN_AFRICA", "un_group", "african"),
        ("WESTERN_AFRICA", "m49_region", "africa"),
        ("AFRICA", "m49_subregion", ""),
        ("ASIA", "un_group", ""),
        ("EUROPE", "un_group", ""),
        ("MIDDLE_EAST", "un_group", ""),
        ("MIDDLE_EAST", "m49_region", "asia"),
        ("MENA", "m49_region", "africa asia"),
        ("COMMONWEALTH", "m49_region", ""),
        ("WORLD", "un_group", "world"),
        ("WORLD", "m49_subregion", "world"),
    ],
)
def test_groups_of_a_place(code: str, scheme: str, groups: str) -> None:
    assert groups_of(code, scheme) == tuple(groups.split())


def test_region_of_m49_is_in_a_regional_group_if_all_its_states_are() -> None:
    """The oracle walks the States of each region, by the region's own row or as its own name."""
    states = [member for member in all_places() if member.kind == "state"]
    checked = 0
    for region in all_places():
        if region.kind != "region" or not region.m49_subregion or not region.m49:
            continue
        inside = [state for state in states if state.m49_subregion == region.m49_subregion]
        groups = {state.un_group for state in inside}
        assert region.un_group == (groups.pop() if len(groups) == 1 else ()), region.code
        assert {state.m49_region for state in inside} == {region.m49_region}
        checked += 1
    assert checked == 22


def test_codes_names_and_groups_of_the_table_are_distinct_and_known() -> None:
    members = all_places()
    assert len({member.code for member in members}) == len(members)
    assert {member.kind for member in members} == {
        *("state", "observer", "territory", "region", "world")
    }
    for field in ("alpha2", "m49"):
        filled = [getattr(member, field) for member in members if getattr(member, field)]
        assert len(set(filled)) == len(filled)
    assert [p.code for p in members if p.kind == "observer"] == ["PSE", "VAT"]


def test_every_place_has_a_name_by_which_it_is_found_again() -> None:
    lost = {
        (member.code, language)
        for member in all_places()
        for language in ("en", "fr", "es")
        if resolve(name_of(member.code, language)).places != (member.code,)
    }
    # "Congo" and "América" (es) and Saint Martin are names of more than one place
    assert lost == {("COG", "es"), ("AMERICAS", "es")} | {("MAF", x) for x in ("en", "fr", "es")}


def test_place_has_a_name_in_any_language() -> None:
    assert name_of("CIV", "fr") == "Côte d’Ivoire"
    assert name_of("KEN", "es") == "Kenia"
    assert name_of("KEN", "ar") == "كينيا"
    assert name_of("WESTERN_AFRICA", "fr") == "Afrique occidentale"
    assert name_of("MENA", "fr") == "Moyen-Orient et Afrique du Nord"
    assert name_of("MENA", "fr-CA") == "Moyen-Orient et Afrique du Nord"
    assert name_of("MENA", "ja") == "Middle East and North Africa"


def test_unknown_code_and_scheme_say_what_is_known() -> None:
    with pytest.raises(InputError, match=r"No place has the code 'KNE' in places\.csv"):
        place("KNE")
    with pytest.raises(InputError, match=r"by 'un_groups'; known are .* did you mean 'un_group'"):
        groups_of("KEN", "un_groups")


def test_place_is_a_plain_record() -> None:
    assert place("NAM").alpha2 == "NA"  # no missing value
    assert isinstance(place("NOR"), Place)


def test_thousand_answers_take_well_under_a_second() -> None:
    answers = [f"{answer}, Freedonia {number}" for number, (answer, _) in enumerate(UNDERSTOOD * 9)]
    resolve("Kenya")
    start = time.perf_counter()
    for answer in answers[:1000]:
        resolve(answer)
    assert time.perf_counter() - start < 2  # measured 0.15 s; loose for a busy machine


def _official_names() -> Iterator[tuple[str, str]]:
    """Yield each official name of a Member State or observer with its ISO code.

    The lists pair names by row; ISO codes stand only in the Statistics Division's.
    """
    from python_calamine import CalamineWorkbook

    iso = {}
    for language in ("en", "fr", "es"):
        with (OFFICIAL / f"UNSD-{language}.csv").open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                name, code = row["Country or Area"], row["ISO-alpha3 Code"]
                iso[_plain(name)] = code
                if place(code).kind in ("state", "observer"):
                    yield name, code
    (path,) = OFFICIAL.glob("UNTERM*.xlsx")
    header, *rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    kept = [at for at, title in enumerate(header) if str(title).split()[0] in LANGUAGES]
    for row in rows:
        names = [str(row[at]).strip(" *") for at in kept]
        codes = {iso[_plain(name)] for name in names if _plain(name) in iso}
        if codes:
            (code,) = codes
            if place(code).kind in ("state", "observer"):
                yield from ((name, code) for name in names)


LANGUAGES = ("English", "French", "Spanish")


def _plain(name: str) -> str:
    """Drop the article in brackets by which the terminology database names a State."""
    head, _, bracket = name.replace("’", "'").partition(" (")
    articles = {"the", "le", "la", "les", "l'", "el", "los", "las"}
    return head if bracket.rstrip(")").lower() in articles else name.replace("’", "'")


@needs_official_lists
def test_every_official_name_leads_to_its_state() -> None:
    names = list(_official_names())
    assert len({code for _, code in names}) == 195
    not_understood = {name for name, _ in names if resolve(name) == Resolution((), (name,))}
    # the UN's short name of one of two States that both are "Congo" to respondents
    assert not_understood == {"Congo", "Congo (the)", "Congo (le)", "Congo (el)"}
    wrong = [
        (name, code, resolve(name))
        for name, code in names
        if name not in not_understood and resolve(name) != Resolution((code,), ())
    ]
    assert wrong == []
    assert len(names) == 1755


@needs_official_lists
def test_codes_and_regions_are_the_official_ones() -> None:
    with (OFFICIAL / "UNSD-en.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            member = place(row["ISO-alpha3 Code"])
            assert (member.alpha2, member.m49) == (row["ISO-alpha2 Code"], row["M49 Code"])
            subregion = row["Intermediate Region Name"] or row["Sub-region Name"]
            assert member.m49_region == _machine_name(row["Region Name"])
            assert member.m49_subregion == _machine_name(subregion)


def _machine_name(name: str) -> tuple[str, ...]:
    return (name.lower().replace("-", "_").replace(" ", "_"),) if name else ()


@needs_official_lists
def test_regional_groups_agree_with_those_that_the_reviews_were_recorded_under() -> None:
    recorded = {
        "Africa": ("african",),
        "Asia": ("asia_pacific",),
        "EEG": ("eastern_european",),
        "GRULAC": ("grulac",),
        "WEOG": ("weog",),
        "Observer": (),
    }
    path = OFFICIAL / "un_regional_groups_from_upr_info_db.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    codes = [resolve(row["state"]).places for row in rows]
    assert all(len(code) == 1 for code in codes)
    differing = {
        row["state"]
        for row, (code,) in zip(rows, codes, strict=True)
        if groups_of(code, "un_group") != recorded[row["grp"]]
    }
    assert differing == set()
    states = {member.code for member in all_places() if member.kind in ("state", "observer")}
    assert {code for (code,) in codes} == states
