"""Fields of a contact, and their French and English headers. A new spelling is added here."""

from collections.abc import Mapping
from dataclasses import replace

from qa_core.ingest.declaration import Field, ValueType, build_fields

FIELDS = build_fields(
    {
        ("contact_id", ValueType.TEXT): "call id|callid|id appel|identifiant appel|contact id|"
        "interaction id|conversation id|uniqueid|unique id|linkedid|call uuid|call sid|sid|"
        "call ref|call reference|reference appel|n appel|numero appel|numero d appel|appel id|"
        "call number|ucid|call key|session id|interaction|id contact|id interaction|id de l appel|"
        "ticket id|ticket|numero ticket|id ticket|case id|id|ref appel|reference appel client|"
        "uuid|call uid|call guid|id unique|identifiant unique|cle appel|cdr id|record id|"
        "numero interaction|interaction guid|reference",
        # A header that may be either names the contact. Where another column does,
        # `contacts.claim` uses it as the ticket.
        ("ticket", ValueType.TEXT): "ticket id|ticket|numero ticket|n ticket|id ticket|case id|"
        "case number|dossier|numero dossier|id dossier",
        ("source_system", ValueType.TEXT): "",
        ("started_at", ValueType.MOMENT): "date started|start of call|start time|started at|start|"
        "call start|call start time|start date time|date and time of call|date time of call|"
        "start datetime|start timestamp|call timestamp|timestamp|date time|datetime|date heure|"
        "date et heure|date heure appel|date et heure appel|date et heure de l appel|horodatage|"
        "debut|heure debut|heure de debut|debut appel|date debut|date de debut|call date time|"
        "call datetime|date and time|initiation timestamp|created at|created|call started|"
        "begin time|begin|offered at|received at|date appel heure|vru entry|call time stamp|"
        "setup time|interaction start|opened at|date heure debut|date et heure debut|"
        "date heure debut appel|horodatage debut|date creation|cree le|recu le|date reception|"
        "date arrivee|date debut appel|started|contact start|call started at|call date and time|"
        "arrival time|enqueue time",
        ("local_start", ValueType.MOMENT): "",
        ("date", ValueType.MOMENT): "call date|date appel|date de l appel|jour|day|call day|"
        "date of call|date contact|start date|fecha|jour appel|date du jour",
        ("time", ValueType.MOMENT): "heure|call time|heure appel|heure de l appel|time of day|"
        "time of call|heure contact|hour|hora|heure d appel|heure d arrivee|heure arrivee|"
        "heure debut appel|heure reception",
        ("answered_at", ValueType.MOMENT): "date connected|answer start time|connected|"
        "connect date|time answered|answer time|answered at|answered time|heure reponse|"
        "heure de reponse|heure decroche|connect time|connected at|date reponse|"
        "heure prise en charge|heure de prise en charge|first response at|pickup time|"
        "answer timestamp|answered timestamp|connected to agent timestamp|decroche a|"
        "date decroche|heure prise appel|date heure decroche|heure decrochage|pickup",
        ("ended_at", ValueType.MOMENT): "date ended|end of call|end time|ended at|end|call end|"
        "call end time|fin|heure fin|heure de fin|fin appel|date fin|date de fin|end date time|"
        "end datetime|end timestamp|disconnect time|disconnect timestamp|hangup time|call ended|"
        "interaction end|closed at|resolved at|heure fin appel|date heure fin|heure raccroche|"
        "heure de raccroche|raccroche a|date cloture|ended",
        ("updated_at", ValueType.MOMENT): "last update|last updated|updated|modified at|modified|"
        "last modified|date modification|date de modification|mis a jour|mis a jour le|"
        "last update timestamp|date mise a jour|derniere modification",
        ("direction", ValueType.DIRECTION): "sens|call direction|sens appel|sens de l appel|"
        "type d appel|call type|type appel|direction appel|initiation method|call direction type|"
        "originating direction|e s|entrant sortant|flux|in out|inbound outbound|type of call|type",
        ("channel", ValueType.CHANNEL): "canal|media|media type|call channel|contact channel|"
        "type de media|type media|canal contact|canal de contact|interaction type|channel type|"
        "type canal|canal entree|mode contact",
        ("queue", ValueType.TEXT): "queue name|file|file d attente|file attente|service|skill|"
        "skill name|competence|groupe|group|call queue|campagne entrante|acd queue|split|"
        "hunt group|ring group|last queue|nom de la file|call center|call center id|department|"
        "departement|dept|activite|ligne|groupe appels|acd|vecteur|libelle file|nom service|"
        "pilote|numero pilote|groupement",
        ("reason", ValueType.TEXT): "topic|motif|motif appel|motif d appel|motif de l appel|"
        "motif contact|raison|call reason|contact reason|sujet|theme|categorie|category|"
        "issue category|issue type|subject|objet|nature|disposition code|qualification|"
        "reason for call|type de demande|call category|wrap up code|wrapup code|issue|"
        "nature demande|objet appel|raison appel|raison contact|code qualification|qualif|"
        "typologie|motif principal|libelle motif|sous motif|wrap code",
        ("advisor", ValueType.TEXT): "agent|advisor id|agent id|conseiller|conseillere|"
        "id conseiller|id agent|operateur|operator|operator id|teleconseiller|rep|representative|"
        "employee|employee id|collaborateur|matricule|user|utilisateur|username|agent username|"
        "assigned to|handled by|traite par|server|login|agent login|matricule conseiller|"
        "last agent|agent code|tc|charge clientele|tele conseiller|conseiller clientele|"
        "login conseiller|hotliner|technicien|gestionnaire|employe|prenom agent|users|agents|"
        "advisors",
        ("advisor_name", ValueType.TEXT): "agent name|nom agent|nom conseiller|nom du conseiller|"
        "nom de l agent|conseiller nom|operator name|rep name|employee name|user name|"
        "agent full name|nom teleconseiller",
        ("team", ValueType.TEXT): "equipe|agent team|agent group|team name|nom equipe|"
        "nom de l equipe|groupe agent|groupe conseiller|equipe conseiller|groupe agents|pole|"
        "cellule|unite",
        ("site", ValueType.TEXT): "centre|plateau|agent site|site name|call centre|nom du site|"
        "etablissement|localisation|agence",
        ("customer", ValueType.CUSTOMER): "customer key|customer id|id client|client|client id|"
        "numero client|n client|customer number|customer phone|customer phone number|"
        "telephone client|numero telephone|telephone|phone|phone number|numero de telephone|"
        "customer|numero appelant|n appelant|contact phone|num client|tel client|msisdn|ani|"
        "caller number|caller id|callerid|caller phone|caller phone number|from number|"
        "customer endpoint|mobile|email|customer email|account number|account id|"
        "identifiant client|numero entrant|cli|numero presente|ref client|reference client|"
        "code client|numero telephone appelant|n telephone|tel",
        ("caller", ValueType.PARTY): "appelant|id de l appelant|id appelant|calling number|from|"
        "src|source number|calling party|calling party number|origine|numero source|caller",
        ("called", ValueType.PARTY): "appele|numero appele|called number|to|dst|destination|"
        "called party|called party number|destinataire|destination number|callee|numero compose|"
        "dialed number|n appele",
        ("outcome", ValueType.OUTCOME): "action result|statut|status|call outcome|resultat|"
        "resultat appel|call status|statut appel|statut de l appel|call result|result|disposition|"
        "etat|etat appel|issue appel|fin d appel|call disposition|outcome type|completion|"
        "termination|statut final|etat final|type de fin",
        ("answered", ValueType.FLAG): "answered y n|answered yes no|is answered|was answered|"
        "repondu|decroche|appel repondu|pris|traite|prise en charge|call answered|appel decroche|"
        "reponse|picked up|handled|pris en charge|appel pris|appel traite",
        ("abandoned", ValueType.FLAG): "abandon|abandonne|appel abandonne|abandoned y n|"
        "abandoned call|hung up|raccroche",
        ("missed", ValueType.FLAG): "missed call|call missed|manque|manquee|appel manque|"
        "unanswered|not answered|non repondu|non decroche|lost|lost call|perdu|appel perdu",
        ("voicemail", ValueType.FLAG): "voice mail|vm|messagerie|messagerie vocale|repondeur|"
        "boite vocale|went to voicemail|left voicemail|sent to voicemail|voicemail left|"
        "depot message",
        ("wait_seconds", ValueType.DURATION): "in queue|total queue|speed of answer|wait|wait time|"
        "waiting time|queue time|queue wait time|attente|temps attente|temps d attente|"
        "duree attente|duree d attente|delai de decroche|delai reponse|delai de reponse|"
        "time to answer|answer speed|speed to answer|q time|wait duration|hold time in queue|"
        "average speed of answer|asa|hold before answer|time in queue|queue duration|queue seconds|"
        "holdtime|temps avant decroche|attente avant decroche|temps attente avant decroche|"
        "duree mise en file|duree en file|temps file|temps en file|temps file attente|"
        "temps reponse|temps de mise en relation|delai attente|waiting|wait length|wait sec|"
        "queue wait|ring time|ringing|ring duration|sonnerie|duree sonnerie|temps de sonnerie",
        ("talk_seconds", ValueType.DURATION): "total talk|duration in call|in call duration|"
        "conversation duration|avg talk duration|service length|service duration|talk durations|"
        "talk duration|talk time|talk|talking|temps de communication|temps communication|"
        "duree communication|duree de communication|duree conversation|duree de conversation|"
        "temps de parole|temps de conversation|conversation time|average talk duration|billsec|"
        "conv duration|convduration|avg talk time|handling talk|ser time|service time|"
        "agent interaction duration|temps conversation|bill sec|talked|acd time|conversation|"
        "communication|dmc|temps com|duree com|duree parole|duree en ligne|temps en ligne",
        ("hold_seconds", ValueType.DURATION): "total hold|hold time|hold|hold duration|"
        "mise en attente|duree mise en attente|temps de mise en attente|temps de garde|garde|"
        "customer hold duration|on hold|on hold time|duree mise en garde|mise en garde|duree garde",
        ("wrap_seconds", ValueType.DURATION): "total acw|wrap time|wrap up time|wrap up|wrapup|"
        "after call work|acw|acw time|acw seconds|post appel|temps post appel|"
        "traitement post appel|after contact work duration|wrapup duration|wrap up duration|"
        "clerical time|after call work time|duree post appel|temps de cloture|after work|wrap|"
        "post traitement|temps post traitement|duree post traitement|temps qualification|temps acw",
        ("duration", ValueType.DURATION): "duree|call duration|duree appel|duree de l appel|"
        "duree totale|total duration|length|total time|call length|duration total|call durations|"
        "duree d appel|call time duration|duree globale|temps total|duration",
        ("handle_seconds", ValueType.DURATION): "total handle|handle time|aht|dmt|"
        "average handle time|avg handle time|handling time|total handle time|handle duration|"
        "duree traitement|duree de traitement|temps traitement|temps de traitement|"
        "duree moyenne de traitement",
        ("call_seconds", ValueType.DURATION): "",
        ("transfers", ValueType.WHOLE, 0): "number of transfers|nb transferts|"
        "nombre de transferts|transfer count|nb transfert|transferts|transfers count|n transfers",
        ("transferred", ValueType.BOOLEAN): "transfere|is transferred|transfer|transfert|"
        "was transferred|call transferred|appel transfere",
        ("declared_resolved", ValueType.BOOLEAN): "resolved|resolu|resolu oui non|is resolved|"
        "resolution|resolution status|fcr|first call resolution|first contact resolution|rpc|"
        "resolu au premier appel|resolu au premier contact|statut resolution|solved|"
        "issue resolved|probleme resolu|demande resolue|resolved y n|declared resolved|"
        "query resolved|resolu au 1er contact|resolu 1er contact|resolu 1er appel|"
        "resolu au 1er appel|traite au 1er appel|one call resolution",
        ("tracking_number", ValueType.TEXT): "tracking phone number|numero de tracking|"
        "numero suivi|numero de suivi|did|dnis|sda|tracking phone|dialed tracking number|"
        "numero trace|numero tracke|n tracke|n tracking|numero dynamique|numero campagne",
        ("source", ValueType.TEXT): "utm source|source trafic|traffic source|provenance|"
        "origin source|lead source|origine trafic",
        ("medium", ValueType.TEXT): "utm medium|support|medium trafic|moyen",
        ("campaign", ValueType.TEXT): "utm campaign|campagne|campaign name|nom de campagne|"
        "nom campagne|campagne marketing",
        ("keyword", ValueType.TEXT): "keywords|utm term|mot cle|mots cles|search term|terme",
        ("landing_page", ValueType.TEXT): "landing page url|landing url|page d arrivee|"
        "page d atterrissage|url arrivee|page arrivee",
        ("survey_sent", ValueType.BOOLEAN): "enquete envoyee|sondage envoye|questionnaire envoye|"
        "survey invited",
        ("csat", ValueType.MARK): "satisfaction rating|satisfaction|csat score|satisfaction score|"
        "note satisfaction|note de satisfaction|customer satisfaction|rating|note client|"
        "csat rating|satisfaction client|customer rating|note|score satisfaction|"
        "satisfaction level|note satisfaction client|note globale|etoiles|avis client|"
        "niveau satisfaction",
        ("nps", ValueType.NUMBER, 0, 10): "nps score|recommandation|note nps|"
        "likelihood to recommend|note de recommandation|recommend|net promoter score",
        ("ces", ValueType.MARK): "ces score|effort|note effort|note d effort|"
        "customer effort score|customer effort|effort score|effort client|score effort",
        ("survey_resolved", ValueType.BOOLEAN): "probleme resolu enquete|resolu selon client|"
        "resolved by customer|customer says resolved",
        ("survey_contacts", ValueType.WHOLE, 0): "nombre de contacts|nb contacts|"
        "number of contacts|contacts needed",
        ("survey_comment", ValueType.TEXT): "verbatim|commentaire client|customer comment|"
        "survey verbatim",
        ("recorded", ValueType.BOOLEAN): "enregistre|is recorded|recording|enregistrement|"
        "appel enregistre|call recorded",
        ("notice_played", ValueType.BOOLEAN): "annonce diffusee|message diffuse|annonce|"
        "information appelant|notice|annonce jouee",
        ("customer_objected", ValueType.BOOLEAN): "opposition|objection|opposition client|"
        "client oppose|refus enregistrement|opt out|customer opted out",
        ("stopped_by_advisor", ValueType.BOOLEAN): "arret conseiller|stoppe par conseiller|"
        "enregistrement coupe|stopped by agent|arrete par le conseiller",
        ("private_line", ValueType.BOOLEAN): "ligne privee|appel prive|private|private call|"
        "appel personnel",
        ("recording_purpose", ValueType.TEXT): "finalite|finalite enregistrement|purpose|"
        "finalite de l enregistrement",
    }
)


def take_fields(synonyms: Mapping[str, str]) -> tuple[Field, ...]:
    """Take these fields of a contact, recognised by these headers instead of their own."""
    return tuple(
        replace(field, synonyms=synonyms[field.name]) for field in FIELDS if field.name in synonyms
    )
