"""The words, names and patterns that `course.data.sentences` combines: each is in one split only.

The slots of a pattern are {noun}, {adjective}, {not}, {one} and {two}; those of an entity pattern are PER, ORG and LOC.
"""

from __future__ import annotations

TOPIC_PATTERNS = {
    "train": (
        "Yesterday we talked about the {one} and the {two}.",
        "She wrote a short note on the {one} and its {two}.",
        "Before the {one} comes the {two}.",
        "Nobody had told them that the {one} needs the {two}.",
        "This page explains the {one} next to the {two}.",
        "First the {one}, then the {two}, as always.",
        "He asked whether the {two} goes well with the {one}.",
        "On the left you see the {one} and on the right the {two}.",
    ),
    "test": (
        "All evening my aunt told us of the {one} and of the {two}.",
        "What matters most, the {one} or the {two}?",
        "Without the {two} you would hardly notice the {one}.",
        "They have lost the {one}, so the {two} must wait.",
        "Our neighbour knows all about the {one}, besides the {two}.",
        "Just look at the {one} here: is it not like the {two}?",
    ),
}

TOPICS = {
    "train": {
        "food": "soup cheese pancake onion salad butter pizza sausage pepper biscuit omelette sauce bread carrot "
        "yoghurt noodle lemon honey steak pudding",
        "sport": "goalkeeper racket referee penalty marathon stadium dribble javelin tournament volleyball "
        "quarterback wrestling hurdle rebound paddle skiing fencing coach scoreboard jersey",
        "music": "guitar melody violin chorus drummer symphony trumpet harmony piano rhythm concerto opera cello "
        "ballad saxophone soprano tambourine lullaby conductor octave",
        "computers": "keyboard software compiler database laptop browser processor password algorithm server "
        "spreadsheet firmware router debugger monitor website email download bandwidth malware",
    },
    "test": {
        "food": "spaghetti burger mustard cabbage casserole muffin curry garlic dumpling mayonnaise spinach waffle",
        "sport": "basketball boxing striker swimmer tennis hockey batsman sprint gymnast judo medalist rugby",
        "music": "flute orchestra duet banjo sonata choir accordion clarinet singer trombone harp mandolin",
        "computers": "programmer smartphone kernel mouse encryption hacker spam printer linux microchip app modem",
    },
}

SENTIMENT_PATTERNS = {
    "train": (
        "The {noun} was {not}{adjective}.",
        "I found that the {noun} is {not}{adjective}.",
        "Everybody said the {noun} had been {not}{adjective}.",
        "Honestly, this {noun} seems {not}{adjective} to me.",
        "That {noun} of yours is {not}{adjective}, my friend.",
        "Since last year their {noun} has been {not}{adjective}.",
        "To me the {noun} looked {not}{adjective} at once.",
        "People here think the {noun} is {not}{adjective}.",
    ),
    "test": (
        "My sister told me that his {noun} was {not}{adjective} this time.",
        "Their {noun}? It is {not}{adjective}, if you ask us.",
        "In the end our {noun} turned out to be {not}{adjective}.",
        "We came home early because the {noun} was {not}{adjective}.",
        "As for the {noun}, it felt {not}{adjective} from start to finish.",
        "Of all we saw in town, just the {noun} was {not}{adjective}.",
    ),
}

SUBJECTS = {
    "train": "film hotel meal lecture book garden concert teacher room journey phone song museum beach waiter game "
    "play café bakery tour",
    "test": "novel restaurant holiday camera play-off lesson apartment neighbourhood doctor exhibition speech bicycle "
    "airline party market",
}

ADJECTIVES = {
    "train": {
        "negative": "awful boring terrible ugly disappointing dull horrible useless annoying weak unpleasant "
        "disgusting stupid lousy worthless depressing ridiculous sloppy painful dreary",
        "positive": "wonderful great excellent beautiful delightful lovely charming perfect pleasant brilliant good "
        "superb exciting valuable tasteful cheerful sensational likeable phenomenal memorable",
    },
    "test": {
        "negative": "dreadful mediocre shabby tedious miserable nasty pathetic filthy atrocious bad hideous inferior "
        "poor frustrating appalling",
        "positive": "fantastic marvellous impressive gorgeous enjoyable splendid amazing stunning magnificent "
        "outstanding fabulous admirable awesome elegant nice",
    },
}

ENTITY_CLASSES = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")

ENTITY_PATTERNS = {
    "train": (
        "PER moved to LOC last spring .",
        "In LOC , PER works for ORG .",
        "ORG has opened an office in LOC .",
        "The head of ORG , PER , was born near LOC .",
        "Yesterday PER met PER at the station of LOC .",
        "PER has left ORG after nine years .",
        "Trains from LOC to LOC are late today .",
        "A letter from ORG reached PER on Monday .",
        "ORG and ORG are building a bridge in LOC .",
        "Our guide through LOC was called PER .",
        "The weather in LOC stays mild , says PER .",
    ),
    "test": (
        "When PER was a child , the family lived in LOC .",
        "Tickets are sold by ORG at the harbour of LOC .",
        '" I never saw LOC again " , PER told us .',
        "PER , who founded ORG , now teaches in LOC .",
        "According to ORG , fewer people visit LOC than before .",
        "Between LOC and LOC the road follows the river .",
        "Both PER and PER have signed the contract with ORG .",
        "The museum shows paintings that ORG bought from PER .",
    ),
}

FIRST_NAMES = {
    "train": "Anna James Zoë José Ingrid Miguel Aisha Søren Mateusz Chloé Kenji Olena Ravi Beatriz Thomas Łucja Hans "
    "Leila Emily Björn Дмитрий Ελένη فاطمة 美咲",
    "test": "Maria Robert Noël Agnès Jürgen Siobhán Tomáš Yuki Amara Núria Omar Gisele Şebnem Ivan Margaret Håkon "
    "Priya Daniel Ольга Γιώργος יעל 伟",
}
LAST_NAMES = {
    "train": "Müller Smith García Johansson Kowalski Tanaka Okafor Dubois Rossi Novák Petrov Andersson Fernandes "
    "O'Brien Haddad Wójcik Lindqvist Brown Иванов Παππάς حسن 田中",
    "test": "Wright Gonçalves Schröder Nakamura Bianchi Gallagher Dvořák Eriksen Castillo Banerjee Yılmaz "
    "Moreau Taylor Pérez Adeyemi Jensen Кузнецов Νικολάου כהן 王",
}
PLACES = {
    "train": "Oslo|Lisbon|Zürich|Nairobi|Buenos Aires|Kraków|Osaka|Quebec|Marseille|Tunis|Hamburg|Cape Town|Bogotá|"
    "Sevilla|Helsinki|San Marino|Leeds|Иркутск|Θήβα|القاهرة|京都",
    "test": "Vienna|São Paulo|Malmö|Kyiv|Nagoya|Montréal|Córdoba|Göteborg|Dublin|New Delhi|Reykjavík|Toulouse|"
    "Gdańsk|Lagos|Rio Grande|Bristol|Самара|Πάτρα|חיפה|上海",
}
# An organisation is a place or a family name of the same split, followed by one of these.
ORGANISATIONS = {
    "train": "Motors|Bank|Shipping Company|Institute|Airways|Brewery|Orchestra|Insurance|Textiles",
    "test": "Railways|Foundation|Chemicals|Publishing House|University|Steelworks|Laboratories|Gallery",
}
