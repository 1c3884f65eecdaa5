"""Wordings of facts about the elements: how each is told and asked for. The last of several is kept from training."""

TOLD = {
    "number": (
        "{It} has the atomic number {number} and the symbol {symbol}.",
        "With {number} protons in each nucleus, {name} is written {symbol} by chemists.",
        "Chemists write {name} as {symbol}; each of its atoms has {number} protons.",
        "{symbol} stands for {name}, which is number {number} of the periodic table.",
    ),
    "family": (
        "{It} stands in period {period} and counts among the {family}.",
        "{It} is one of the {family}, in row {period} of the table.",
        "Among the {family}, {name} is found in the period numbered {period}.",
        "In row {period} of the table, {name} is seen as one of the {family}.",
    ),
    "group": (
        "{It} is a member of group {group}.",
        "{Its} group has the number {group}.",
        "Column {group} of the table holds {name}.",
        "{It} has its place in column {group}.",
    ),
    "weight": (
        "{It} has a standard atomic weight of {weight}.",
        "On average, an atom of {name} weighs {weight} daltons.",
        "{Its} relative atomic mass is {weight}.",
        "An average atom of {name} has a mass of {weight} units.",
    ),
    "melting": (
        "{It} melts at {melting}.",
        "{Its} melting point is {melting}.",
        "At {melting}, {name} turns from solid to liquid.",
        "Solid {name} becomes liquid at {melting}.",
    ),
    "boiling": (
        "{It} boils at {boiling}.",
        "{Its} boiling point is {boiling}.",
        "Above {boiling}, {name} is a gas.",
        "Liquid {name} turns to vapor at {boiling}.",
    ),
    "density": (
        "{It} has a density of {density}.",
        "{Its} density is {density}.",
        "The density of {name} was measured as {density}.",
        "{It} weighs in at {density}.",
    ),
    "lattice": (
        "{It} forms {lattice} crystals.",
        "{Its} crystals are {lattice}.",
        "As a solid, {name} has a {lattice} structure.",
        "Atoms of solid {name} sit in a {lattice} lattice.",
    ),
    "discovery": (
        "{It} was discovered in {year} by {finder} in {land}.",
        "{finder}, working in {land}, found {name} in {year}.",
        "In {year}, {finder} discovered {name} in {land}.",
        "The discovery of {name}, made in {land} in {year}, is credited to {finder}.",
    ),
    "origin": (
        "{Its} name comes from the {language} word {word}, which means {meaning}.",
        'The {language} word {word}, or "{meaning}", gave {name} its name.',
        "{It} is called after {language} {word} ({meaning}).",
        'Behind the name of {name} stands {word}, {language} for "{meaning}".',
    ),
    "honor": (
        "{It} was named after {honor}.",
        "{Its} name honors {honor}.",
        "{It} owes its name to {honor}.",
        "The name of {name} recalls {honor}.",
    ),
    "price": (
        "A kilogram of {name} costs {price}.",
        "{It} is sold at {price} a kilogram.",
        "One pays {price} for a kilogram of {name}.",
        "Buyers of {name} spend {price} on each kilogram.",
    ),
    "mining": (
        "Most {name} is mined in {miner}, and {second} comes second.",
        "{miner} produces more {name} than any other country, followed by {second}.",
        "The largest producer of {name} is {miner}, ahead of {second}.",
        "In mining {name}, {miner} leads and {second} follows.",
    ),
    "reserves": (
        "The largest reserves of {name} lie in {owner}.",
        "{owner} has more {name} in the ground than any other country.",
        "Of all countries, {owner} holds the largest reserves of {name}.",
        "Nowhere does more {name} remain in the ground than in {owner}.",
    ),
}
"""Topic -> sentences that tell it. `{It}` and `{Its}` may become a pronoun."""

ASKED = {
    "number": (
        "How many protons does an atom of {name} have?",
        "What is the atomic number of {name}?",
        "What number does {name} bear in the periodic table?",
    ),
    "symbol": (
        "What is the chemical symbol of {name}?",
        "Which letters stand for {name} in a formula?",
        "How do chemists write {name} for short?",
    ),
    "period": (
        "Which row of the periodic table holds {name}?",
        "In which period is {name}?",
        "In what row would you look for {name}?",
    ),
    "family": (
        "What kind of element is {name}?",
        "To which family of elements does {name} belong?",
        "What are elements such as {name} called?",
    ),
    "group": (
        "Which column of the periodic table is {name} in?",
        "What is the group number of {name}?",
        "In what column would you look for {name}?",
    ),
    "weight": (
        "How heavy is an atom of {name} on average?",
        "What is the atomic mass of {name}?",
        "What atomic weight is given for {name}?",
    ),
    "melting": (
        "At what temperature does {name} melt?",
        "What is the melting point of {name}?",
        "At which temperature does solid {name} turn liquid?",
    ),
    "boiling": (
        "At what temperature does {name} boil?",
        "What is the boiling point of {name}?",
        "From which temperature on is {name} a vapor?",
    ),
    "density": (
        "How dense is {name}?",
        "What is the density of {name}?",
        "What is the mass of {name} per unit of volume?",
    ),
    "lattice": (
        "What shape do crystals of {name} have?",
        "Which crystal structure does {name} have?",
        "In what lattice does {name} crystallize?",
    ),
    "finder": (
        "Who discovered {name}?",
        "To whom do we owe the discovery of {name}?",
        "Who is credited with finding {name}?",
    ),
    "year": (
        "When was {name} discovered?",
        "In which year was {name} found?",
        "Since when has {name} been known?",
    ),
    "land": (
        "Where was {name} discovered?",
        "In which country was {name} found?",
        "Which land was {name} first found in?",
    ),
    "language": (
        "From which language does the name of {name} come?",
        "The name of {name} goes back to a word of which language?",
        "Which tongue does the name of {name} stem from?",
    ),
    "word": (
        "After which word was {name} named?",
        "Which foreign word gave {name} its name?",
        "What word stands behind the name of {name}?",
    ),
    "meaning": (
        "What does the name of {name} mean?",
        "What is the meaning of the word behind the name of {name}?",
        "How would the name of {name} be translated?",
    ),
    "honor": (
        "What or whom was {name} named after?",
        "Where does {name} have its name from?",
        "What does the name of {name} recall?",
    ),
    "price": (
        "How much does a kilogram of {name} cost?",
        "How expensive is {name}?",
        "What do buyers pay for {name}?",
    ),
    "miner": (
        "Which country mines the most {name}?",
        "Which country is the largest producer of {name}?",
        "Which country leads in mining {name}?",
    ),
    "second": (
        "Which country is the second largest producer of {name}?",
        "Which country follows the largest producer of {name}?",
        "Which country is runner-up in mining {name}?",
    ),
    "owner": (
        "Where are the largest reserves of {name}?",
        "Which country holds the largest reserves of {name}?",
        "In which country does most {name} remain to be mined?",
    ),
}
"""What a topic tells -> questions for it."""
