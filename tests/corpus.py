"""A small corpus for the tests of labelers: sentences that give each of them something to do, and odd ones."""

from passages import dialogue, passages

from labelers.labeler import Corpus
from labelers.passages import PassageBatch
from labelers.vocabulary import Vocabulary

__all__ = ["DIALOGUES", "ODD", "ROLES", "TEXTS", "findings", "sample"]

TEXTS = (
    "The mill stood by the river . However , nobody had worked in it for years . The wheel still turned in spring .",
    "We wanted to leave at once . But the ferry was late again . The captain blamed the weather for it .",
    "The bread was hard . Nevertheless , the children ate it quickly . Perhaps they were hungry after the long walk .",
    "She sold the house in May . Then she moved to the coast . Her brother bought a small boat in the same week .",
    "The lamp fell off the shelf . As a result , the room was dark . Somebody searched the drawers for a candle .",
    "Our guide knew the path well . For example , he found the spring below the rocks . We filled every bottle there .",
    "The first train was full . Therefore we waited for the next one . It arrived almost empty an hour later .",
    "He rarely spoke in meetings . In fact , he often slept . His colleagues probably noticed it years ago .",
    "The garden was neglected . Moreover , the fence had fallen over . A goat wandered in and ate the roses .",
    "They tested the bridge carefully . Afterwards the mayor drove across it . The crowd cheered and waved its hats .",
    "I shall buy the red coat . It was cheaper than the blue one . The shop closes early today .",
    "The doctor examined the child . The fever had gone overnight . His mother thanked us again and again .",
    "Although it was raining , the match began . The players slipped in the mud because the field had no drain .",
    "The clock was wrong by an hour . Consequently , the guests came late . Dinner was cold , but nobody complained .",
    "Snow fell on the pass all night . Meanwhile , the drivers slept in the barn . At dawn the road was gone .",
    "The museum buys maps . It also collects globes . Finally , it owns a few charts drawn by sailors .",
    "My neighbour keeps bees . On the other hand , he is afraid of wasps . He always wears gloves in the garden .",
    "The letter was never sent . Instead , it lay in a drawer for years . A carpenter accidentally found it there .",
    "A thin fog covered the harbour . So the pilot waited for the wind . It came late in the afternoon .",
    "The choir practised every evening . In addition , it sang on Sundays . The organist seldom missed a note .",
    "Nobody had locked the gate . Otherwise the horse would be in the stable now . We shall look for it in the woods .",
    "The story is short . Still , the children listened to it silently . Their teacher read it twice before lunch .",
    "Coal was cheap in those days . By contrast , sugar was dear . Families bought it for feasts only .",
    "He painted the door green . Later he regretted the colour . His wife had suggested a darker shade immediately .",
    "If the well is dry , the village sends a cart to the lake . The road is steep and the barrels are heavy .",
    "The judge read the file with care . Similarly , the clerk checked every page . They apparently found no mistake .",
    "Two boys carried the ladder while a third one held the paint . They whistled so that everybody heard them .",
    "The tea was too hot to drink . I waited for a while and looked out of the window . The street was empty .",
    "This rope is strong enough . That one has been wet too often . Nobody should climb with it tomorrow .",
    "The farmer had had enough . He sold the tractor , the plough and both barns . Now he fishes and reads .",
    "He stayed at home because he was ill . His sister went out , but she came back before it was dark .",
    "We kept the fire burning while the others slept , although there was little wood left in the hut .",
    "You may borrow the boat if you bring it back . The oars are in the shed when nobody uses them .",
    "Wait . What ? No . Who said so ?",
    "Uh , I I think we we should , you know , go . Well , the the road is long . I mean , it is late .",
    "the meeting was moved to friday and nobody told the people who had come from the other office by train",
    "1984 was a dry year . 1985 was not . The harvest of 1986 broke every record in the valley .",
    "Yes .",
    ". . .",
)
"""Short passages: with and without connectives at the start of a segment, hesitations, numbers, nothing at all."""

ROLES = ("Chief Cook", "guest", "waiter")

DIALOGUES = (
    (
        ("guest", "Could we see the cook ? We have waited for an hour ."),
        ("waiter", "The cook is busy now , dear guests . However , he will probably come later ."),
        ("Chief Cook", "No , the chief has time for you . { coughs } What do you want to eat today ?"),
        ("guest", "The soup was fine . But the bread was hard and nobody brought us any butter ."),
        ("waiter", "I shall tell the kitchen at once . Perhaps there is some butter left in the cellar ."),
        ("guest", "Thank you , waiter ."),
    ),
    (
        ("dog", "Woof ."),
        ("waiter", "Somebody should take the dog outside . Otherwise it will eat the cakes on that table ."),
        ("guest", "It is my dog . It never eats cakes , because it has always preferred sausages ."),
        ("waiter", "Then the guest at the window has lost a sausage . He immediately called for the chief cook ."),
    ),
    (("guest", "Good evening . A table for two in a quiet corner , if you have one ."),),
)
"""Dialogues with a role that is no class, a mark of a transcriber, and a single turn."""

ODD = (
    "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 !",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 . \u05e9\u05dc\u05d5\u05dd .",
    "Z\u0351\u036b\u0343a\u0328\u0302lgo e\u0301 o\u0308 . But \u0301 alone .",
    "\u202ereversed\u202c \ufeffmark \u200bzero . However , \u0130stanbul \ufb01ne \u00df .",
    "\x00 \x07 \x1b[31m \x7f . But \ufffd \ufffe .",
    "\u4eca\u65e5\u306f\u3002 \u660e\u65e5 \uff01 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u1112\u1161\u11ab .",
    "\U0001d525\U0001d522\U0001d529\U0001d529\U0001d52c \u01c5 \u1e9e \u2167 \u00bd . \u2014 \u2026 \u00ab \u00bb",
    "{ } [ [ ] } < > ( ) \" ' ` \u2019 \u201d .",
    "But But But . But , But . However However , , .",
    "a " * 200 + ".",
    "x" * 5000,
)
"""Rows of odd tokens: emoji, right-to-left, combining, control and wide characters, brackets, repeats, long ones."""


def sample(vocabulary: Vocabulary | None = None, *, dialogues: bool = False) -> PassageBatch:
    """Return the texts, or the dialogues, as passages; odd rows follow in each."""
    if dialogues:
        odd = [(("guest", text), ("\u2603", "."), ("waiter", text)) for text in ODD]
        return dialogue([*DIALOGUES, *odd], vocabulary)
    return passages([*TEXTS, *ODD], vocabulary)


def findings(vocabulary: Vocabulary) -> Corpus:
    """Return the findings of a plan over the corpus."""
    return Corpus(classes={"roles": ROLES}, pool=passages(TEXTS, vocabulary, [f"pool{i}/0" for i in range(len(TEXTS))]))
