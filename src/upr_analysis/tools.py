"""What survey tools put into an export of their own: marks by which they are known, and columns.

What identifies people is kept only as strings to be found in open answers; what is ignored is
dropped unread. Headers are in small letters. Sources: `docs/decisions.md`.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal

from upr_analysis.questionnaire import Tool

Own = Literal["respondent", "started", "submitted", "language", "personal", "ignored"]
SEPARATORS: Final[dict[Tool, str]] = {
    "microsoft_forms": ";",
    "surveygizmo": ";",
    "eusurvey": "; ",
    "kobo": " ",
    "qualtrics": ",",
}
MARKS: Final[dict[Tool, tuple[set[str], ...]]] = {
    "google_forms": ({"Timestamp"}, {"Marca temporal"}, {"Horodateur"}),
    "microsoft_forms": (
        {"Start time", "Completion time"},
        {"Hora de inicio", "Hora de finalización"},
        {"Heure de début", "Heure de fin"},
    ),
    "surveygizmo": ({"Time Started", "Date Submitted", "Status"}, {"Response ID", "Time Started"}),
    "eusurvey": ({"Contribution ID"}, {"Contribution Id"}),
}
TIMINGS: Final = ("interviewtime", "total time")
OWN: Final[dict[Tool, dict[Own, tuple[str, ...]]]] = {
    "surveymonkey": {
        "respondent": ("respondent id", "respondentid"),
        "started": ("start date",),
        "submitted": ("end date",),
        "personal": ("ip address", "email address", "first name", "last name"),
        "ignored": ("collector id", "custom data 1", "custom data"),
    },
    "limesurvey": {
        "respondent": ("id", "response id"),
        "started": ("startdate", "date started"),
        "submitted": ("submitdate", "date submitted"),
        "language": ("startlanguage", "start language"),
        "personal": ("ipaddr", "ip address", "firstname", "first name", "lastname", "last name",
                     "email", "email address"),
        "ignored": ("lastpage", "last page", "seed", "datestamp", "date last action", "refurl",
                    "referrer url", "token", "access code", *TIMINGS),
    },
    "qualtrics": {
        "respondent": ("_recordid", "responseid"),
        "started": ("startdate",),
        "submitted": ("enddate",),
        "language": ("userlanguage", "q_language"),
        "personal": ("ipaddress", "recipientlastname", "recipientfirstname", "recipientemail",
                     "emailaddress", "name", "locationlatitude", "locationlongitude"),
        "ignored": ("status", "progress", "duration", "duration (in seconds)", "finished",
                    "recordeddate", "externaldatareference", "externalreference", "responseset",
                    "locationaccuracy", "distributionchannel"),
    },
    "kobo": {
        "respondent": ("_uuid", "key"),
        "started": ("start",),
        "submitted": ("_submission_time", "submissiondate"),
        "personal": ("_submitted_by", "username", "phonenumber"),
        "ignored": ("end", "today", "deviceid", "simserial", "subscriberid", "__version__", "_id",
                    "_validation_status", "_notes", "_status", "_tags", "_index", "_geolocation",
                    "instanceid", "instancename", "meta/instanceid", "meta/instancename",
                    "meta-instanceid", "meta-instancename", "submittername", "status",
                    "formdef_version", "formversion", "submitterid", "attachmentspresent",
                    "attachmentsexpected", "reviewstate", "edits", "_parent_index",
                    "meta/rootuuid", "rootuuid", "meta/deprecatedid", "audit"),
    },
    "google_forms": {
        "submitted": ("timestamp", "marca temporal", "horodateur"),
        "personal": ("email address", "username", "dirección de correo electrónico",
                     "adresse e-mail", "nombre de usuario", "nom d'utilisateur"),
    },
    "microsoft_forms": {
        "respondent": ("id",),
        "started": ("start time", "hora de inicio", "heure de début"),
        "submitted": ("completion time", "hora de finalización", "heure de fin"),
        "language": ("language", "idioma", "langue"),
        "personal": ("email", "name", "correo electrónico", "nombre", "adresse de messagerie",
                     "nom"),
        "ignored": ("last modified time", "hora de la última modificación",
                    "heure de la dernière modification", "total points", "quiz feedback"),
    },
    "surveygizmo": {
        "respondent": ("response id",),
        "started": ("time started",),
        "submitted": ("date submitted",),
        "language": ("language",),
        "personal": ("ip address", "contact email", "contact name"),
        "ignored": ("status", "contact id", "legacy comments", "comments", "referer", "sessionid",
                    "user agent", "extended user agent", "extended referer", "longitude",
                    "latitude", "country", "city", "state/region", "postal", "tags", "link name"),
    },
    "eusurvey": {
        "respondent": ("contribution id",),
        "started": ("creation date",),
        "submitted": ("last update",),
        "language": ("languages", "language"),
        "personal": ("user name", "invitation number"),
    },
}  # fmt: skip

# How long a question or a group of LimeSurvey took, behind the time of the whole.
TIMING: Final = re.compile(r"(?:question|group) ?time:? .*|grouptime\d*|[\w-]+time")


def own_role(tool: Tool, header: str) -> Own | None:
    """Return what a column so called is if it is the tool's, None for any other."""
    header = header.casefold()
    return next((role for role, known in OWN.get(tool, {}).items() if header in known), None)


def own_columns(tool: Tool, headers: Sequence[str]) -> list[Own | None]:
    """Return which columns are the tool's: those at the start and at the end, the first of a name.

    A question may be called as one of them is: it stands between other questions.
    """
    names = [header.casefold() for header in headers]
    timed = min((names.index(one) for one in TIMINGS if one in names), default=len(names))
    found: list[Own | None] = [
        "ignored"
        if tool == "limesurvey" and place > timed and TIMING.fullmatch(name)
        else own_role(tool, name)
        for place, name in enumerate(names)
    ]
    asked = [place for place, own in enumerate(found) if own is None and names[place]]
    first, last = (asked[0], asked[-1]) if asked else (len(names), -1)
    seen = set[str]()
    for place, name in enumerate(names):
        if first <= place <= last or name in seen:
            found[place] = None
        seen.add(name)
    return found
