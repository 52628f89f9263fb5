"""Fields of an interval, and their French and English headers. A new spelling is added here."""

from qa_core.ingest.declaration import ValueType, build_fields

AVERAGES = {
    "wait_seconds": ("average_wait", "answered"),
    "abandon_wait_seconds": ("average_abandon_wait", "abandoned"),
    "talk_seconds": ("average_talk", "answered"),
    "hold_seconds": ("average_hold", "answered"),
    "wrap_seconds": ("average_wrap", "answered"),
}
"""For each sum of seconds, the field of its average and the count to multiply that by."""
FIELDS = build_fields(
    {
        ("start", ValueType.MOMENT): "started at|start datetime|start date time|interval start|"
        "interval start time|start interval|period start|date time|datetime|date and time|"
        "timestamp|date heure|date et heure|horodatage|debut intervalle|debut de l intervalle|"
        "debut de tranche|debut tranche|start of interval",
        ("date", ValueType.MOMENT): "jour|day|fecha|report date|row date|call date|date appel|"
        "date du jour|start date|date debut|date d appel|calendar date",
        ("period", ValueType.TEXT): "month|mois|semaine|week|periode|mes|monat|mese|year month|"
        "annee mois|mois annee",
        ("time", ValueType.MOMENT): "heure|start time|heure debut|heure de debut|time of day|"
        "time slot|half hour|tranche|tranche horaire|creneau|creneau horaire|demi heure|"
        "interval time",
        ("hour", ValueType.WHOLE, 0, 23): "hour of day|heure du jour|call hour",
        ("length_minutes", ValueType.NUMBER, 0): "interval|intervalle|interval length|length|"
        "interval minutes|interval duration|duree intervalle|duree de l intervalle|granularity|"
        "granularite|period length",
        ("queue", ValueType.LABEL): "queue name|skill name|split skill name|split name|"
        "nom de la file|nom file|file d attente|file|service|acd group|vdn name|split skill|skill|"
        "split|vq|virtual queue|hunt group|competence|activite|application|queue id|skill id|"
        "split id|vdn|libelle file",
        ("channel", ValueType.TEXT): "canal|media|media type|type de media|contact channel|"
        "channel type",
        ("team", ValueType.LABEL): "team name|equipe|nom de l equipe|nom equipe|agent group|"
        "groupe|groupe d agents|group",
        ("received", ValueType.WHOLE, 0): "incoming calls|calls offered|offered calls|offered|"
        "calls received|received calls|inbound calls|calls presented|presented calls|presented|"
        "contacts offered|contacts received|total calls offered|total offered|total received|"
        "total incoming calls|appels recus|appels entrants|appels presentes|appels offerts|"
        "presentes|recus|entrants|offerts|nombre d appels recus|nb appels recus|"
        "nombre d appels entrants|nb d appels recus|contacts recus|total calls|number of calls|"
        "call volume|nombre d appels|nb appels|nb d appels|nombre appels|volume d appels|"
        "total appels|calls|appels|volume|llamadas|flux entrant|total appels recus",
        ("answered", ValueType.WHOLE, 0): "answered calls|calls answered|acd calls|handled calls|"
        "calls handled|handled|calls ans|contacts answered|contacts handled|total answered|"
        "total handled|total answered calls|appels traites|appels repondus|appels decroches|"
        "appels pris|traites|repondus|decroches|pris|servis|appels servis|nombre d appels traites|"
        "nb appels traites|nombre d appels repondus|nombre d appels decroches|contacts traites|"
        "accepted|calls accepted",
        ("abandoned", ValueType.WHOLE, 0): "abandoned calls|calls abandoned|total aban calls|"
        "aban calls|total abandoned calls|total abandoned|abandons|total abandons|abandon calls|"
        "contacts abandoned|lost calls|calls lost|appels abandonnes|abandonnes|appels perdus|"
        "perdus|nombre d abandons|nb abandons|nombre d appels abandonnes|nb appels abandonnes|"
        "nb appels perdus|total aban|aban|non decroches|appels non repondus|appels manques|"
        "non repondus",
        ("short_abandons", ValueType.WHOLE, 0): "short abandoned|short abandoned calls|"
        "short aban calls|short aban|short calls|abandons courts|abandons rapides|"
        "abandons precoces|abandons immediats|nombre d abandons courts|quick abandons",
        ("long_abandons", ValueType.WHOLE, 0): "abandons longs|long abandons|"
        "abandoned after threshold|abandons apres seuil|abandons au dela du seuil",
        ("answered_in_threshold", ValueType.WHOLE, 0): "answered within threshold|"
        "calls answered within threshold|answered in sl|answered within sl|"
        "answered within service level|in service level|acceptable|repondus dans le seuil|"
        "traites dans le seuil|decroches dans le seuil|appels traites dans le seuil|"
        "appels repondus dans les delais",
        ("threshold_seconds", ValueType.DURATION): "threshold|service level threshold|"
        "sl threshold|sla threshold|seuil|seuil de niveau de service|seuil de qualite de service|"
        "acceptable level|seuil de decroche",
        ("answer_rate", ValueType.NUMBER): "answered rate|percent answered|% answered|answer %|"
        "answered %|taux de decroche|taux de reponse|taux de prise en charge|td|% decroche|"
        "taux decroches",
        ("abandon_rate", ValueType.NUMBER): "abandonment rate|percent abandoned|% abandoned|"
        "abandon %|abandoned %|% aban|taux d abandon|taux d abandons",
        ("service_level", ValueType.NUMBER): "sla|sl|service level %|sl %|sla %|% service level|"
        "% within service level|percent in service level|niveau de service|qualite de service|qs|"
        "tsf|service factor|taux de service|service level rate|ns|qos|taux qs|sl 20s",
        ("wait_seconds", ValueType.DURATION): "total wait time|total wait|total waiting time|"
        "total answer time|total ans time|total answer delay|total queue time|"
        "duree d attente totale|temps d attente total|attente totale|wait time|waiting time|"
        "temps d attente|attente|queue time",
        ("average_wait", ValueType.DURATION): "average speed of answer|avg speed of answer|"
        "avg speed of ans|avg speed answer|asa|speed of answer|answer speed|delai moyen de reponse|"
        "delai moyen de decroche|dmr|vitesse moyenne de reponse|duree moyenne d attente|"
        "temps moyen d attente|dma|tma|delai de reponse|delai moyen attente|attente moyenne",
        ("abandon_wait_seconds", ValueType.DURATION): "total abandon time|total aban time|"
        "total time to abandon|aban time|abandon time|time to abandon|temps total avant abandon",
        ("average_abandon_wait", ValueType.DURATION): "average time to abandon|"
        "avg time to abandon|average abandon time|delai moyen avant abandon|"
        "temps moyen avant abandon|duree moyenne avant abandon|delai moyen d abandon",
        ("talk_seconds", ValueType.DURATION): "total talk time|total talk|acd time|total acd time|"
        "total talk duration|total conversation time|duree totale de communication|"
        "temps total de communication|talk time|talk duration|talk|conversation time|"
        "temps de communication|duree de communication|temps de conversation|"
        "duree de conversation|temps de parole",
        ("average_talk", ValueType.DURATION): "average talk time|att|"
        "duree moyenne de communication|duree moyenne de conversation|dmc|"
        "temps moyen de communication|temps moyen de conversation|tmc|communication moyenne",
        ("hold_seconds", ValueType.DURATION): "total hold time|total hold|hold acd time|hold time|"
        "hold duration|hold|temps de mise en attente|duree de mise en attente|mise en attente|"
        "mise en garde",
        ("average_hold", ValueType.DURATION): "average hold time|aht hold|"
        "duree moyenne de mise en attente|temps moyen de mise en attente",
        ("wrap_seconds", ValueType.DURATION): "total acw time|acw time|total after call work|"
        "total wrap time|total wrap up time|temps total de post appel|acw|after call work|"
        "after call work time|wrap time|wrap up time|wrapup time|wrap|wrap up|post appel|"
        "temps de post appel|temps post appel|post traitement|temps de post traitement",
        ("average_wrap", ValueType.DURATION): "average wrap time|average acw|"
        "duree moyenne de post appel|temps moyen de post appel|dmpa|dmpt|acw moyen|"
        "post appel moyen",
        ("average_handle", ValueType.DURATION): "average handle time|average handling time|"
        "avg handle time|aht|dmt|duree moyenne de traitement|temps moyen de traitement|tmt",
    },
    of_many=AVERAGES,
)
