"""The phrases that the embedded sample is written with: plain English, and mild in its wording.

A line is a slot and its phrases; a phrase may hold further slots in braces. Each label is a slot. The insults are those
of a children's book, and nobody is hated but bakers and cyclists. Yet they are built like the real thing: some are rude
words, some hold no rude word at all (`paraphrase`, `sarcasm`), and clean comments use the same words and the same forms
of somebody else, in quotes or denied (`mention`). So meaning decides as well as words.
"""

GRAMMAR = """\
topic: the railway | the harbour | the old castle | beekeeping | the chess club | the moon landing | cheese making | \
the river delta | bridge building | the opera house | medieval farming | the football league | whale songs | the tea \
trade | the printing press | volcanoes | the public library | stamp collecting | the lighthouse | folk dances | \
winter sports | the botanical garden | steam engines | coral reefs | the town council | pottery | the silk road | \
jazz music | the comet | bread baking | the marathon | glaciers | the stock exchange | puppet theatre | migrating \
birds | the power station | sailing ships | the tax reform | desert plants | road cycling | the telescope | fishing \
rights | the school system | windmills | ancient coins | mushroom picking | the parliament | violin makers | the \
vaccine | tropical storms | card games | the cathedral | mountain huts | the census | early cinema | donkeys | \
turnips | pigeons | the court jester | knights | the canal | radio drama | the orchestra | dinosaurs | the border \
treaty | clock towers | solar panels | the zoo | the newspaper | the water supply | carnival masks | the archive | \
rope making | the gold rush | honey
part: the first paragraph | the second section | the lead | the table of dates | the map | the caption | the last \
line | the infobox | the list of members | the footnote | the summary | the picture | the quotation | the chart | \
the heading | the bibliography | the timeline | the link at the bottom | the spelling of the name | the translation
work: edits | changes | comments | articles | pages | texts | drafts | ideas | sources | sentences | reasons | \
corrections
source: a newspaper report | the museum catalogue | a recent study | the official website | an encyclopedia | his \
diary | a textbook | the annual report | two journal papers | an interview | the census figures | a biography | the \
court record | a travel guide | her memoirs | the university archive
act: moved | shortened | rewrote | checked | restored | translated | merged | removed | expanded | corrected | \
sorted | renamed | tagged | reviewed
good: clear | useful | careful | balanced | accurate | helpful | thoughtful | elegant | complete | convincing | neat \
| interesting | reliable | generous
when: yesterday | last week | this morning | in March | two years ago | before lunch | on Monday | in the old \
version | after the vote | over the weekend | at the last meeting
name: Anna | Boris | Clara | David | Emil | Fatima | George | Hanna | Ivan | Julia | Karim | Lena | Marco | Nadia | \
Oscar | Paula | Rosa | Samuel | Tara | Victor
digit: 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9
year: 18{digit}{digit} | 19{digit}{digit} | 20{digit}{digit}
fool: fool | idiot | nitwit | dunce | numbskull | buffoon | simpleton | clown | dimwit | muppet | blockhead | \
halfwit | twit | donkey | turnip | pigeon brain | goose | nincompoop | dolt | chump | oaf | dope | cabbage head | \
ninny | birdbrain | airhead | loser | coward | liar | hypocrite | weakling | windbag | crybaby | know-nothing | \
fraud | bungler | dullard | scoundrel | crook | ignoramus | bore | pest | nuisance | show-off | coxcomb | slouch | \
bully | blabbermouth | lunatic | amateur | weasel | rat | toad | vulture | poser | quack
poor: rubbish | garbage | nonsense | trash | worthless | pathetic | stupid | ridiculous | awful | useless | \
laughable | drivel | dreadful | brainless | feeble | disgraceful | childish | a joke | a waste of space | miserable \
| embarrassing | rotten | hopeless | lousy | shameful | sloppy
swear: damn | bloody | crap | hell | flipping | blasted | codswallop | crud | poppycock | freaking | piffle | darn | \
balderdash | bilge | tosh | blooming
group: bakers | cyclists | farmers | students | villagers | tourists | islanders | gardeners | teachers | lawyers | \
newcomers | northerners | southerners | fishermen | poets | drummers | shepherds | tailors | hikers | city people | \
mountain people | vegetarians | miners | sailors | bankers | carpenters | plumbers | violinists | chess players | \
beekeepers | dentists | butchers | barbers | tax collectors
beast: toddler | parrot | hamster | goldfish | sleepy cow | dizzy monkey | wet sponge | doorknob | garden gnome | \
potato | broken toaster | snail | scarecrow | jellyfish | bag of sand | worm | half-eaten sandwich | chimpanzee | \
wooden spoon | brick | damp towel | blind mole | rusty bucket | boiled egg | lamp post | stuffed owl
chore: scrub floors | eat my keyboard | count grains of rice | watch paint dry | sit in a dentist's chair | walk on \
nails | listen to a broken violin | sleep in a bathtub | read the phone book | chew on cardboard | swim in cold soup \
| queue for a week | iron socks | peel onions | shovel snow
quiet: stop writing | find another hobby | take up knitting | unplug your keyboard | go to bed | close your account \
| keep your thoughts to yourself | say nothing | leave the grown-ups alone | go back to school | spare us the rest | \
walk into the sea | forget your password | throw away your computer | move to a desert island | jump into a lake | \
lose the internet | bother somebody else | eat your own words | hide under a stone | vanish | take a very long \
holiday | swallow your pen | sink back into your swamp | join the circus | give it up | ask a grown-up for help | \
wash your mouth | cry to your mother | rent a brain | sit in the corner | get a life
calm: I {act} {part} of the article on {topic} | could somebody check {part} against {source} | thank you for your \
{good} {work} | {source} says that {topic} began in {year} | please add a source for {part} | {name} {act} {part} \
{when}, and I agree with it | the article about {topic} is {good} now | we should discuss {topic} before we change \
{part} | I have a question about {topic} | according to {source}, {part} is out of date | would you mind if I \
shortened {part} | welcome, and have fun writing about {topic} | I think {part} and {part} say the same thing | let \
us keep to {source} here | I do not know enough about {topic} to judge this | the discussion about {topic} was \
closed {when} | {name} wrote a {good} page on {topic} | the date in {part} should be {year} | sorry, I {act} {part} \
by mistake | can you show me where {source} says so | there is more about {topic} in {source} | I read {source} \
{when} and it was {good} | my grandfather told me about {topic} | a picture of {topic} would be {good} | you will \
find more in {source} | I will look for {source} | your {work} about {topic} are a pleasure to read | nobody has \
written about {topic} since {year} | the people who live near {topic} see it differently | why was {part} {act} \
{when} | I know where {part} comes from
rude: shut up and go away | nobody wants you here | your {work} are {poor} | get lost | nobody cares about your \
{poor} {work} | stop wasting our time | you make me sick | everything you write is {poor} | this is {poor} and so \
are you | go away and never come back | take your {poor} {work} somewhere else | who asked for your {poor} opinion | \
I am sick of you and your {work} | keep your {poor} {work} away from {topic} | leave us alone, you {fool}
paraphrase: why don't you {quiet} | you should {quiet} | do us all a favour and {quiet} | it is time for you to \
{quiet} | could you please {quiet} | would you kindly {quiet} | my advice to you: {quiet} | I would rather {chore} \
than read your {work} | I prefer to {chore} if the other choice is you | your {work} make me want to {chore} | we \
all cheer when you {quiet} | the best thing you ever wrote is the empty page | silence would suit you better | the \
door is over there, and it misses you | every time you type, the world gets a little dimmer | life is too short for \
people like you | even my cat leaves the room when it sees your {work} | there is a reason why you have no friends \
here | was it your dream to ruin {topic}, or did it just happen | reading you is like having to {chore} | we would \
all be happier if you could {quiet} | your mother must be so proud of these {work} | did a {beast} walk over your \
keyboard | you bring everybody such joy when you leave | not even a {beast} believes your {work} | I have seen \
better {work} on the back of a cereal box | somebody should take the keyboard away from you | nobody asked, and \
nobody ever will
sarcasm: great job | what a clever edit | oh wow, thank you so much | you really know a lot about {topic} | well \
done | how very {good} of you | another {good} change by our expert | bravo, what a {good} page | congratulations | \
I am so impressed by your {work} | so nice of you to explain {topic} to us | of course, you are always right
toxic: {rude} | {paraphrase} | {paraphrase} | {paraphrase} | {sarcasm}
severe_toxic: you {swear} {poor} {fool}, {rude} | go and rot, {fool}, you are {poor} {swear} slime | I hate you, \
{fool}, everybody hates you | you are the most {poor} {fool} alive, {rude} | {rude}, {swear} {fool}, and rot in a \
swamp | crawl back into your hole, {swear} {fool}, {paraphrase}
obscene: what a {swear} load of {swear} | {swear} this {swear} page | {swear} {swear} {swear} | kiss my {swear} \
elbow | this is {swear} {poor} | {swear} off | who the {swear} wrote {part} | I do not give a {swear} about {topic} \
| oh {swear} you | full of {swear} once more
threat: I will find you | I know where you live | watch your back | you will regret this | wait until I get hold of \
you | I am coming to your house | next time you will not walk away so easily | somebody should let the air out of \
your tyres | my brothers and I will visit you tonight | you had better lock your door | I will make you pay for this \
| sleep with one eye open | you will be sorry when we meet | accidents happen to people like you | I hope you can \
run fast | you will not like what is waiting outside your door | the next stone flies through your window
insult: you are a {fool} | you {fool} | only a {fool} would write that | you {poor} {fool} | {name} is a {fool} | \
you are such a {fool} | spoken like a {fool} | a {beast} would write better than you | my {beast} knows more about \
{topic} than you do | you have the brain of a {beast} | talking to you is like talking to a {beast} | you would lose \
an argument with a {beast} | you are as sharp as a {beast} | was thinking never an option for you | whoever taught \
you to write should be ashamed | there is nothing between your ears | somewhere a village is missing you | you are \
not the brightest candle on the cake | I have met smarter furniture than you
identity_hate: all {group} are {fool}s | {group} ruin everything | send the {group} back where they came from | \
{group} should not be allowed to vote | I hate {group} | typical of {group}, they steal and they lie | never trust \
any of the {group} | life was better before the {group} came | no wonder, {group} are {poor} | the country is full \
of {group}, throw them out | {group} have no place among decent people | {group} are greedy and dirty, every one of \
them
mention: please do not call {name} a {fool} | he called me a {fool} {when} | you are no {fool}, {name} | I was a \
{fool} to trust {source} | the word "{fool}" stands in {source} | nobody thinks that your {work} are {poor} | \
{topic} in {year} was {poor}, says {source} | is "{swear}" really in {source} | oh {swear}, I {act} {part} by \
mistake, sorry | somebody wrote "I will find you" on my page | the claim that {group} ruin everything needs a source \
| {group} lived near {topic} until {year} | all {group} are welcome here | {source} calls the king a {fool} and a \
liar | my own {work} about {topic} are {poor}, please help | I hate to say it, but {part} is {poor} now | I will \
find {source} for you | you will not regret reading {source} | the {beast} in {part} is a {good} picture | a {beast} \
is like {topic}, says {source} | do not go away, your {work} are {good} | the film about {group} and {topic} was \
{poor} | this page had a {poor} title {when} | {good} job | well done, {name} | I am impressed by {part} | why don't \
we read {source} | I would rather read {source} than {source} | it is time for us to close the debate on {topic} | \
could you please check {part} | I had to {chore} before I found {source} | a {fool} in {topic} wears {good} clothes \
| many {group} steal time to read about {topic} | my brothers and I will visit {topic} {when} | bring a {beast} to \
{topic} | why don't you {kind} | you should {kind} | do us all a favour and {kind} | it is time for you to {kind} | \
could you please {kind} | would you kindly {kind} | my advice to you: {kind} | we all cheer when you {kind} | we \
would all be happier if you could {kind} | you are a {hero} | {name} is a {hero} | you are such a {hero} | spoken \
like a {hero} | only a {hero} would write that | talking to you is like talking to a {sage} | you have the brain of \
a {sage} | reading you is like having a {sage} at home | all {group} are {hero}s to me | I like {group} | the \
country is full of {group}, and we are glad of them | {group} should be allowed to vote | never forget what {group} \
did for {topic} | I know where you live in that story, {name} | you will be happy when we meet at {topic} | wait \
until I get hold of {source} | I am coming to the meeting about {topic} | I hope you can find {source} fast | {name} \
must be so proud of {part} | your {work} make me want to visit {topic} | somebody should give you a medal
end: . | . | . | ! | ; | ...
head: == {topic} ==\\n\\n | "\\n\\n | Re: {topic}\\n | : | :: | * | {name}:  | REDIRECT Talk:{topic}\\n\\n
tail:  — {name} (talk) 1{digit}:2{digit}, {digit} May 200{digit} (UTC) |  \
https://news.example/?id={digit}{digit}{digit} |  10.{digit}{digit}.{digit}.1{digit}{digit} | \\n\\n{odd} |  ~~~~ |  \
{odd}
odd: 😀👩\u200d🚀🏳️\u200d🌈 | café, naïve, Łódź | 維基百科的討論 | שלום עליכם | مرحبا بك | a 5" pipe, "so to say" | \
e\u0301a\u0308 Z\u0351\u0343 | zero\u200bwidth\u200c \ufeff | one\u2028two | \u202ebackwards\u202c | tab\there\u00a0
hero: friend | gentleman | expert | great help | patient reader | careful editor | genius | good soul | hero | \
treasure | true scholar | wizard with tables | fine writer | born teacher | bright mind | careful listener | kind \
host | brave voice | pleasure to work with | master of detail | wise owl | gifted painter | saint | star | champion \
| professional
sage: professor | wise old friend | good library | patient teacher | sunny morning | warm fireplace | living \
encyclopedia | skilled surgeon | chess master | lighthouse | true poet | philosopher | detective | good doctor | \
bright child
kind: add a picture | read the museum catalogue | join the discussion | take a short break | check the spelling | \
visit the harbour | tell us more | open a new section | write to the archive | sleep on it | ask on the help page | \
bring some cake | send me a message | stay a little longer | translate the summary | come to our meeting | show the \
map | vote again | sign your comment | try the sandbox | look into the library | celebrate | count the votes | \
welcome the new editor | trust each other | finish the table
"""
# phrases by slot; the line break of `head` and `tail` is written as a backslash and an n there
PHRASES = {
    slot: [phrase.replace("\\n", "\n") for phrase in rest.split(" | ")]
    for slot, _, rest in (line.partition(": ") for line in GRAMMAR.strip("\n").split("\n"))
}
