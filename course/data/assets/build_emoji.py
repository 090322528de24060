"""Build emoji.zip, the bundled pictures of `course.data.emoji`, from three npm packages; the same bytes every time.

    python course/data/assets/build_emoji.py                          # npm pack fetches the pinned packages
    python course/data/assets/build_emoji.py FLUENT GOOGLE TWITTER    # or: three packages already unpacked

Prints how many objects each class has and the sha256 to write into `course.data.emoji.ASSET_SHA256`.

The zip holds the picture files as the packages ship them, byte for byte, under fluent/, noto/ and twemoji/, and
index.json: one row per object with its name, code point, class and split. A class is a set of Unicode subcategories
less the objects that do not look like their class, or look like another one. An object is kept if all three styles
draw it. The split is by object: objects that look nearly alike (GROUPS) stay on one side, groups are ordered by the
hash of their first code point, and the first 60 % of a class's objects are for training.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

PACKAGES = ("@lobehub/fluent-emoji-3d@1.1.0", "emoji-datasource-google@16.0.0", "emoji-datasource-twitter@16.0.0")
FOLDERS = {"fluent": "assets", "noto": "img/google/64", "twemoji": "img/twitter/64"}  # within each package
LARGEST_CLASS = 54
TRAIN_SHARE = 0.6

# class -> Unicode subcategories (whole), single objects added, single objects left out; objects by short name
CLASSES: dict[str, tuple[str, str, str]] = {
    "mammal": (
        "animal-mammal",
        "whale whale2 dolphin seal",
        "feet pig_nose",
    ),
    "other animal": (
        "animal-bird animal-amphibian animal-reptile animal-marine animal-bug",
        "",
        "whale whale2 dolphin seal feather wing shell coral spider_web microbe",
    ),
    "plant": (
        "plant-flower plant-other food-fruit food-vegetable",
        "",
        "white_flower rosette empty_nest nest_with_eggs",
    ),
    "food": (
        "food-prepared food-asian food-sweet",
        "",
        "salt sweet_potato fish_cake",
    ),
    "vehicle": (
        "transport-ground transport-water transport-air",
        "",
        "station busstop motorway railway_track oil_drum fuelpump wheel rotating_light traffic_light "
        "vertical_traffic_light octagonal_sign construction roller_skate skateboard anchor ring_buoy parachute seat "
        "satellite",
    ),
    "place": (
        "place-geographic place-building place-religious place-other",
        "",
        "building_construction bricks rock wood hotsprings barber carousel_horse",
    ),
    "face": (
        "face-smiling face-affection face-tongue face-neutral-skeptical face-sleepy face-unwell face-glasses "
        "face-hat face-concerned face-negative",
        "",
        "skull skull_and_crossbones",
    ),
    "clothing": (
        "clothing",
        "",
        "folding_hand_fan hair_pick prayer_beads lipstick ring gem",
    ),
    "hand": (
        "hand-fingers-open hand-fingers-partial hand-single-finger hand-fingers-closed hands hand-prop",
        "",
        "middle_finger",
    ),
    "tool": (
        "tool writing",
        "scissors pushpin round_pushpin paperclip straight_ruler triangular_ruler key old_key lock broom bucket "
        "plunger razor safety_pin toothbrush sponge fire_extinguisher basket mouse_trap syringe crutch stethoscope "
        "microscope telescope flashlight mag",
        "chains broken_chain link memo shield boomerang bomb",
    ),
}

# Things that look nearly alike in some style: a row is kept on one side of the split.
GROUPS = """
monkey_face monkey
dog dog2 guide_dog service_dog poodle
cat cat2 black_cat
tiger tiger2 leopard
horse racehorse unicorn_face zebra_face donkey
moose deer
cow cow2 ox water_buffalo bison
pig pig2 boar
ram sheep goat
dromedary_camel camel
elephant mammoth
mouse mouse2 rat hamster
rabbit rabbit2
bear polar_bear panda_face
whale whale2
chicken rooster hatching_chick baby_chick hatched_chick
bird black_bird dove_of_peace
goose swan
dragon_face dragon
fish tropical_fish
lobster shrimp
bug beetle cockroach cricket
rose wilted_flower
cherry_blossom hibiscus blossom
seedling herb
shamrock four_leaf_clover
maple_leaf fallen_leaf leaves
evergreen_tree deciduous_tree leafless_tree
mushroom brown_mushroom
tangerine lemon lime mango
apple green_apple pear peach
hot_pepper bell_pepper
cucumber pea_pod
bread baguette_bread
rice curry ramen
poultry_leg meat_on_bone
burrito tamale stuffed_flatbread
icecream shaved_ice ice_cream
birthday cake
candy lollipop
cookie rice_cracker moon_cake
bullettrain_side bullettrain_front
train2 metro light_rail tram monorail train mountain_railway suspension_railway railway_car
bus oncoming_bus trolleybus minibus
police_car oncoming_police_car
taxi oncoming_taxi
car oncoming_automobile blue_car
ambulance truck articulated_lorry fire_engine
racing_motorcycle motor_scooter
manual_wheelchair motorized_wheelchair
speedboat motor_boat
passenger_ship ferry ship
airplane small_airplane airplane_departure airplane_arriving
mountain_cableway aerial_tramway
snow_capped_mountain mountain mount_fuji volcano
beach_with_umbrella desert_island
camping tent
house_buildings derelict_house_building house house_with_garden
office post_office european_post_office hospital hotel love_hotel convenience_store school department_store
church wedding
classical_building bank
night_with_stars cityscape city_sunset city_sunrise foggy
sunrise_over_mountains sunrise
grinning smiley smile grin laughing
rolling_on_the_floor_laughing joy
slightly_smiling_face upside_down_face blush relaxed innocent
heart_eyes star-struck
kissing_heart kissing kissing_closed_eyes kissing_smiling_eyes
stuck_out_tongue stuck_out_tongue_winking_eye stuck_out_tongue_closed_eyes zany_face yum
neutral_face expressionless no_mouth dotted_line_face
mask face_with_thermometer face_with_head_bandage
nauseated_face face_vomiting sneezing_face
dizzy_face face_with_spiral_eyes
confused worried slightly_frowning_face white_frowning_face face_with_diagonal_mouth
open_mouth hushed astonished frowning anguished
fearful cold_sweat sweat disappointed_relieved disappointed
confounded persevere weary tired_face
rage angry triumph face_with_symbols_on_mouth
smiling_imp imp
eyeglasses dark_sunglasses goggles
coat lab_coat
jeans shorts briefs
one-piece_swimsuit bikini
purse handbag pouch
mans_shoe athletic_shoe hiking_boot
womans_flat_shoe ballet_shoes
high_heel sandal boot
military_helmet helmet_with_white_cross
wave raised_back_of_hand raised_hand_with_fingers_splayed hand spock-hand
rightwards_hand leftwards_hand palm_down_hand palm_up_hand leftwards_pushing_hand rightwards_pushing_hand
pinched_fingers pinching_hand
v crossed_fingers
hand_with_index_finger_and_thumb_crossed heart_hands
i_love_you_hand_sign the_horns call_me_hand
point_left point_right point_up_2 point_down point_up
+1 -1
fist facepunch left-facing_fist right-facing_fist
clap pray raised_hands open_hands palms_up_together
hammer pick hammer_and_pick hammer_and_wrench
axe wrench screwdriver
dagger_knife crossed_swords
black_nib lower_left_fountain_pen lower_left_ballpoint_pen pencil2 lower_left_paintbrush lower_left_crayon
pushpin round_pushpin
straight_ruler triangular_ruler
key old_key
microscope telescope
razor toothbrush
gear nut_and_bolt
shovel broom
"""


def main(folders: list[str]) -> None:
    """Write emoji.zip beside this file and print the counts and the hash."""
    with tempfile.TemporaryDirectory() as scratch:
        packages = [Path(folder) for folder in folders] or fetch_packages(PACKAGES, Path(scratch))
        if len(packages) != len(FOLDERS):
            raise SystemExit(f"give {len(FOLDERS)} unpacked packages, or none; these are {len(packages)}")
        styles = zip(FOLDERS.items(), packages, strict=True)
        pictures = {style: find_pictures(package, folder) for (style, folder), package in styles}
        rows = choose_objects(json.loads((packages[1] / "emoji.json").read_text("utf-8")), pictures)
        target = Path(__file__).with_name("emoji.zip")
        write_zip(target, rows, pictures)
    for (name, split), count in sorted(Counter((row["class"], row["split"]) for row in rows).items()):
        print(f"{name:14} {split:6} {count}")
    print(f"{len(rows)} objects, {target.stat().st_size:,} bytes")
    print(f"sha256 {hashlib.sha256(target.read_bytes()).hexdigest()}")


def fetch_packages(packages: Sequence[str], scratch: Path) -> list[Path]:
    """The packages, fetched by `npm pack` into `scratch` and unpacked there."""
    folders = []
    for number, package in enumerate(packages):
        folder = scratch / str(number)
        folder.mkdir()
        subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True)
        with tarfile.open(next(folder.glob("*.tgz"))) as archive:
            archive.extractall(folder, filter="data")
        folders.append(folder / "package")
    return folders


def find_pictures(package: Path, folder: str) -> dict[str, Path]:
    """Code point -> picture file."""
    return {plain_code(path.stem): path for path in sorted((package / folder).iterdir())}


def plain_code(code: str) -> str:
    """The code point in lower case, without the variation selector that only some packages write."""
    return code.lower().replace("-fe0f", "")


def choose_objects(emoji: list[dict], pictures: dict[str, dict[str, Path]]) -> list[dict[str, str]]:
    """One row per object, by class and then in Unicode's order."""
    emoji = sorted(emoji, key=lambda entry: entry["sort_order"])
    known = {entry["short_name"] for entry in emoji}
    rows = []
    for name, (subcategories, added, left_out) in CLASSES.items():
        if unknown := {*added.split(), *left_out.split(), *GROUPS.split()} - known:
            raise SystemExit(f"no emoji is called {', '.join(sorted(unknown))}; fix CLASSES or GROUPS in {__file__}")
        members = [
            entry
            for entry in emoji
            if (entry["subcategory"] in subcategories.split() or entry["short_name"] in added.split())
            and entry["short_name"] not in left_out.split()
            and all(plain_code(entry["unified"]) in style for style in pictures.values())
        ]
        rows += split_class(name, members)
    return rows


def split_class(name: str, members: list[dict]) -> list[dict[str, str]]:
    """The rows of one class: at most LARGEST_CLASS of its objects, whole groups of them in one split."""
    family = {short: number for number, line in enumerate(GROUPS.strip().splitlines()) for short in line.split()}
    groups: dict[object, list[dict]] = {}
    for entry in members:
        groups.setdefault(family.get(entry["short_name"], entry["short_name"]), []).append(entry)
    ordered = sorted(groups.values(), key=lambda group: hash_code(group[0]["unified"]))
    kept: list[list[dict]] = []
    for group in ordered:
        if sum(map(len, kept)) + len(group) <= LARGEST_CLASS:
            kept.append(group)
    wanted = round(TRAIN_SHARE * sum(map(len, kept)))
    train: list[str] = []
    for group in kept:
        if len(train) + len(group) <= wanted:
            train += [entry["unified"] for entry in group]
    chosen = {entry["unified"] for group in kept for entry in group}
    return [
        {
            "name": entry["name"].lower().replace("mans ", "man's "),  # Unicode's own names know no apostrophe
            "code": plain_code(entry["unified"]),
            "class": name,
            "split": "train" if entry["unified"] in train else "test",
        }
        for entry in members
        if entry["unified"] in chosen
    ]


def hash_code(code: str) -> str:
    """A fixed but arbitrary place in the order of objects, the same on every machine."""
    return hashlib.sha256(plain_code(code).encode()).hexdigest()


def write_zip(target: Path, rows: list[dict[str, str]], pictures: dict[str, dict[str, Path]]) -> None:
    """A stored zip with fixed times and permissions, so that equal contents are equal bytes."""
    index = "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"
    files = {"index.json": index.encode()}
    for style, by_code in pictures.items():
        for row in rows:
            path = by_code[row["code"]]
            files[f"{style}/{row['code']}{path.suffix}"] = path.read_bytes()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # written as on Unix, wherever it is built
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)


if __name__ == "__main__":
    main(sys.argv[1:])
