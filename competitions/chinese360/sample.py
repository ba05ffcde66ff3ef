"""Invented articles in the form of 360's contest, so that the recipe runs where nothing has been downloaded.

Articles are put together here from sentence patterns and word lists of seven topics. One article keeps its person, town
and subject from beginning to end; half of them are then tampered with in the contest's ways, which leave most words as
they were: a model must see that something does not go on as it began.

The bytes depend on the seed alone: the generator is the one whose stream is promised never to change
(`random.Random.random`), and nothing iterates over a set or calls `hash`.
"""

import argparse
import math
import os
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

LABELS = ("NEGATIVE", "POSITIVE")
LONGEST = 6000  # characters
BREAKS = "，。！？：；"

# slot: its phrases; {slot} is one of another slot's, of the same topic first; what is KEPT stays in one article
KEPT = ("hero", "mate", "city", "item", "body")
GRAMMAR = """
# any
hero: {surname}{given} {surname}{given} {surname}某 老{surname}
mate: {surname}{given} {surname}{given} {surname}先生 {surname}女士
surname: 王 李 张 刘 陈 杨 赵 黄 周 吴 徐 孙 胡 朱 高 林 何 郭 罗 梁 宋 郑 谢 韩 唐 冯 董 萧 程 曹
given: 建华 志远 晓明 丽娟 文静 海涛 国栋 雪梅 子涵 浩然 春燕 立新 玉兰 少平 安琪 振宇 佳怡 永福 秋生 思源
city: 北京 上海 广州 成都 杭州 武汉 西安 南京 青岛 长沙 昆明 大连 苏州 厦门 郑州 哈尔滨 兰州 贵阳 合肥 桂林
day: {d}月{d}日 上周{week} 本周{week} 昨天 今天上午 日前 近日 去年年底 今年春天 {n}年前 前不久
week: 一 二 三 四 五 六 日
d: 1 2 3 4 5 6 7 8 9 １ ２ ３ 十
n: {d}{d} {d}0 {d} 三 五 八 二十 近百 数百 上千 {d}.{d}万
link: 此外， 同时， 不过， 据了解， 事实上， 与此同时， 值得一提的是， 另一方面， 在他看来， 因此， 当然， 其实，
say: 说 表示 告诉记者 认为 坦言 指出 回忆说 笑着说 介绍说 强调
feel: 高兴 意外 欣慰 担心 激动 自豪 惊讶 放心 遗憾 好奇
many: 许多 不少 越来越多的 大部分 少数 附近的 年轻的 有经验的
quick: 迅速 逐渐 明显 悄悄 不断 终于 突然 仍然 已经 很快
talk: “{item}{good}，我很{feel}。”{hero}{say}。 {hero}{say}，{item}的事情要一步一步来，不能着急。
talk: {mate}{say}：“{people}都知道{city}的{item}，但很少有人知道它背后的故事。” “你怎么看{item}？”记者问{hero}。
talk: {link}{city}的{people}对{item}感到{feel}，{many}人希望{hero}能继续做下去。 {hero}对此{quick}作出了回应。
talk: {day}，记者在{city}见到了{hero}，{many}{people}正围着他询问{item}。 {mate}听了以后很{feel}，一时说不出话来。
talk: {link}{body}负责人{mate}{say}，{n}名{people}参加了这项工作，目前进展{good}。 谁也没有想到，结果会是这样。
talk: 从{day}到现在，{hero}和{mate}一共花了{n}天时间，跑遍了{city}的{n}个地方。 这样的变化，{people}看在眼里。
talk: {body}的一份报告显示，{n}%的受访者表示关注{item}，比上年增加{d}个百分点。 （完） （图：{mate}） 详见"{item}"一栏。
# sport
item: 足球 篮球 乒乓球 排球 羽毛球 马拉松 游泳 体操 网球 围棋
body: 市体育局 国家队 省队 俱乐部 青年队 主队 组委会 校队
people: 球迷 观众 队员 教练 选手 裁判 对手 教练员 志愿者
good: 打得漂亮 状态很好 越来越稳定 发挥出色 赢得精彩 配合默契 体能充沛
match: 半决赛 决赛 预选赛 友谊赛 小组赛 邀请赛 公开赛 联赛第{d}轮 淘汰赛
act: 打进一球 连得{d}分 刷新纪录 扳平比分 拿下首局 获得冠军 因伤退场 打满全场 失误两次 力克对手
s: {day}，{item}{match}在{city}举行，{body}的{hero}{act}，全场{people}起立鼓掌。 {match}后，{hero}{say}自己很{feel}。
s: 下半场开始以后，{body}{quick}加强了进攻，第{n}分钟{hero}{act}，比分变成{d}比{d}。 {link}{item}场上换了几次人。
s: 教练{mate}{say}，这场{match}很艰苦，但{people}没有放弃，最后{act}。 {hero}从{d}岁开始练{item}，每天训练{n}个小时。
s: {link}{body}将在下一场{match}中客场迎战对手，{hero}能否上场还要看恢复情况。 这已经是{hero}本赛季第{n}次{act}了。
# food
item: 红烧肉 豆腐 小笼包 牛肉面 火锅 酸菜鱼 莲藕汤 糯米饭 春卷 绿豆糕 辣椒酱
body: 老字号饭店 美食协会 餐馆 早餐店 烹饪学校 食堂 厨师学会
people: 食客 厨师 老顾客 街坊 游客 学徒 师傅 店员
good: 味道鲜美 香气扑鼻 入口即化 色泽金黄 口感爽滑 又香又脆 不油不腻
stuff: 生姜 葱花 酱油 料酒 花椒 白糖 食盐 香菜 大蒜 淀粉 鸡蛋 香油 八角 豆豉
step: 切成小块 放入锅中 用小火慢炖 腌制{n}分钟 大火收汁 沥干水分 搅拌均匀 洗净备用 煮至变软 撒在上面
s: 做{item}并不难，先把{stuff}{step}，再加入{stuff}和{stuff}，{n}分钟以后就可以出锅了。 刚出锅的{item}{good}。
s: {hero}在{city}开了一家小店，专门卖{item}，{many}{people}每天一早就来排队。 {link}选料很重要，{stuff}一定要新鲜。
s: 将{stuff}洗净，{step}，然后把{stuff}{step}，最后淋上{stuff}，一道{good}的{item}就做好了。 {people}都说{item}{good}。
s: {mate}尝了一口，{say}这里的{item}{good}，和小时候吃过的一样。 {body}的{hero}{say}，秘诀在于{stuff}要{step}。
# money
item: 股市 房价 基金 债券 黄金 汇率 信托产品 小微贷款 外贸出口 养老保险
body: 证券公司 商业银行 研究所 交易所 统计局 保险公司 投资机构 行业协会
people: 投资者 股民 分析师 储户 经理 企业主 客户 经济学家
good: 小幅上涨 震荡走高 止跌回稳 保持平稳 好于预期 创出新高 有所回落
sign: 成交量 利率 营业收入 净利润 市盈率 通胀率 融资规模 库存 订单 现金流
why: 资金面趋紧 需求回暖 成本上升 政策调整 季节因素 市场信心恢复 海外市场波动 供应增加
s: {day}，受{why}影响，{item}{good}，{sign}较上月增长{d}.{d}%，{sign}则下降了{d}个百分点。 {link}{item}的风险不可忽视。
s: {body}{say}，由于{why}，预计下半年{item}仍将{good}，{people}应当保持谨慎。 {hero}{day}买入{item}，至今收益{n}元。
s: 数据显示，{city}前{d}个月{sign}达到{n}亿元，同比增长{d}.{d}%，其中{sign}{good}。 {people}关心{sign}会不会变化。
s: {body}分析师{mate}{say}，{why}是主要原因，短期内{item}难以改变方向，但长期看{good}。 {hero}建议{people}分散投资。
# health
item: 高血压 感冒 失眠 近视 糖尿病 颈椎病 过敏 胃病 骨质疏松 肥胖
body: 市医院 医学院 疾控中心 社区诊所 健康学会 康复中心 体检中心
people: 患者 医生 护士 老人 家长 专家 孕妇 上班族
good: 得到缓解 恢复很快 明显好转 控制得好 并不可怕 可以预防 因人而异
habit: 早睡早起 少吃盐 多喝水 坚持散步 保持心情愉快 定期复查 不熬夜 按时服药 控制体重 多吃蔬菜
signs: 头晕 乏力 咳嗽 胸闷 食欲下降 发热 视力模糊 关节疼痛 心慌 皮肤发痒
s: {body}的{hero}医生{say}，出现{signs}和{signs}的时候要当心，这可能是{item}的信号。 {item}{good}，{people}不必紧张。
s: 预防{item}，关键在于{habit}，其次要{habit}，{people}尤其应当注意。 {link}{many}{people}因为{signs}来到{body}检查。
s: 研究发现，每天{habit}的人，患{item}的风险比其他人低{n}%，而{signs}也会减少。 {mate}一直{habit}，{signs}再没有犯过。
s: {link}专家提醒，{item}患者不要自己买药，{signs}加重时应到{body}就诊，平时注意{habit}。
# travel
item: 古镇 雪山 海岛 草原 瀑布 石窟 梯田 茶园 溶洞 湿地公园
body: 旅行社 景区管理处 旅游局 民宿协会 航空公司 博物馆
people: 游客 导游 背包客 村民 摄影师 孩子们 司机 老板娘
good: 风景如画 游人如织 美不胜收 安静极了 值得一去 气候宜人 令人难忘
sight: 日出 云海 星空 石板路 老街 小桥流水 红叶 油菜花 灯会 木楼 温泉 渔船
way: 坐火车 骑自行车 步行 乘船 自驾 坐缆车 徒步 搭班车
s: 从{city}出发，{way}{n}个小时，就到了这座{item}，远远望去，{sight}和{sight}{good}。 {item}的{sight}，{good}。
s: 清晨，{people}{way}上山，为的是看一眼{sight}，太阳出来的时候，大家都很{feel}。 {hero}{way}走过了{n}座{item}。
s: {body}{say}，{day}起{item}门票降到{n}元，{people}可以{way}前往，沿途还能看到{sight}。 {link}住在村里最划算。
s: {mate}最喜欢的是{sight}，他{say}，{d}月的{item}{good}，比照片上还要好看。 夜里，{people}围着火堆讲{sight}的传说。
# science
item: 手机 人工智能 卫星 机器人 新能源汽车 无人机 芯片 量子计算 望远镜 搜索引擎
body: 科学院 实验室 创业公司 研究团队 工程中心 互联网公司 大学
people: 工程师 用户 研究人员 程序员 学生 开发者 网友 科学家
good: 性能稳定 功耗更低 速度提高一倍 达到先进水平 超出设计要求 还不够成熟 价格合理
part: 电池 屏幕 传感器 算法 处理器 天线 软件 摄像头 系统 接口 操作界面
do: 发布新版本 完成测试 公开源代码 申请专利 升级系统 采集数据 投入使用 修复漏洞 进行实验
s: {day}，{body}在{city}{do}，新一代{item}采用了全新的{part}，{good}。 {link}{item}的{part}还需要{n}次改进。
s: {hero}带领{n}名{people}，用了{d}年时间，解决了{part}的难题，使{item}{good}。 {people}{say}，{part}比{part}重要。
s: {people}发现，{item}的{part}在低温下{good}，而{part}容易出错，{body}正在{do}。 {mate}认为{item}离普通人不远了。
s: 与上一代相比，{item}的{part}{good}，{part}也换成了国产的，{people}反映不错。 {hero}的下一个目标是{do}。
# town
item: 地铁 公交车 老旧小区 菜市场 垃圾分类 停车难 暴雨 供暖 夜市 共享单车
body: 市政府 街道办 交警大队 气象台 物业公司 居委会 消防队 水务集团
people: 市民 居民 乘客 司机 商贩 环卫工人 社区干部 行人
good: 大为改观 基本恢复 秩序井然 仍待解决 得到好评 顺利推进 方便多了
road: 人民路 解放桥 东门广场 北环线 建设大道 滨江公园 火车站 体育馆路 中心医院门口 老城区
fix: 铺设管道 更换路灯 疏导交通 加装电梯 清理积水 增开班次 设立服务点 拆除围挡 巡查值守
s: {day}，{city}{body}在{road}{fix}，预计{n}天完工，届时{item}问题将{good}。 家住{road}的{hero}对{item}很{feel}。
s: 受天气影响，{road}一带{item}{quick}受阻，{body}派出{n}人{fix}，到傍晚{good}。 {people}建议在{road}{fix}。
s: {people}{mate}{say}，以前从{road}到{road}要走{n}分钟，现在{item}{good}，出门不用发愁了。 {link}{body}还将{fix}。
s: {body}工作人员{hero}每天{d}点就到{road}{fix}，{people}都认识他。 {item}不是小事，{body}{quick}{fix}。
"""


def _read(grammar: str) -> dict[str, dict[str, list[str]]]:
    topics: dict[str, dict[str, list[str]]] = {}
    for line in grammar.strip().split("\n"):
        name, _, phrases = line.partition(": ")
        if name.startswith("# "):
            slots = topics.setdefault(name[2:], {})
        else:
            slots.setdefault(name, []).extend(phrases.split(" "))
    return topics


TOPICS = _read(GRAMMAR)
ANY = TOPICS.pop("any")
WORDS = {  # the words of a topic that may be taken for one another
    topic: [w for name, words in slots.items() if name != "s" for w in words if len(w) > 1 and "{" not in w]
    for topic, slots in TOPICS.items()
}


class Article(NamedTuple):
    id: str
    title: str
    content: str
    label: str


class Writer:
    """Writes one article after another; `writer[slot]` is one filling of a slot of the grammar."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed).random
        self.follows: dict[str, str] = {}  # two characters → all that follow them somewhere: a 3-gram model
        self.begin()

    def __getitem__(self, slot: str) -> str:
        if slot in self.kept:
            return self.kept[slot]
        filled = self.pick(TOPICS[self.topic].get(slot) or ANY[slot]).format_map(self)
        return self.kept.setdefault(slot, filled) if slot in KEPT else filled

    def pick(self, choices: Sequence[str]) -> str:
        return choices[self.below(len(choices))]

    def below(self, n: int) -> int:
        return int(self.random() * n)

    def begin(self) -> None:
        """Another article: another topic, person, town and subject."""
        self.topic, self.kept = self.pick(list(TOPICS)), dict[str, str]()

    def sentence(self) -> str:
        return self["talk" if self.random() < 0.35 else "s"]

    def article(self) -> list[str]:
        """Sentences of a few to several thousand characters, most of them some hundred."""
        self.begin()
        if self.random() < 0.02:
            return [self["hero"] + self["good"] + "。"]
        bell = sum(self.random() for _ in range(12)) - 6  # close to a standard normal
        length = min(math.exp(5.9 + 0.35 * bell) * (12 if self.random() < 0.01 else 1), LONGEST)
        said = [self["s"]]
        while sum(map(len, said)) < length:
            said.append(self.sentence())
        return said

    def some(self, said: list[str]) -> list[int]:
        """Where the ways below, which take and give the sentences of an article, strike: two in five, one at least."""
        return [i for i in range(len(said)) if self.random() < 0.4] or [self.below(len(said))]

    def turned(self, said: list[str]) -> list[str]:
        """Four characters that stand side by side are turned round."""
        for i in self.some(said):
            at = self.below(max(len(said[i]) - 4, 1))
            said[i] = said[i][:at] + said[i][at : at + 4][::-1] + said[i][at + 4 :]
        return said

    def swapped(self, said: list[str]) -> list[str]:
        """Two clauses of a sentence change places."""
        for i in self.some(said):
            clauses = said[i][:-1].split("，")
            at = self.below(max(len(clauses) - 1, 1))
            clauses[at : at + 2] = clauses[at : at + 2][::-1]
            said[i] = "，".join(clauses) + said[i][-1]
        return said

    def mixed(self, said: list[str]) -> list[str]:
        """Sentences of another article."""
        for i in self.some(said):
            self.begin()
            said.insert(i + 1, self["s"])
        return said

    def repeated(self, said: list[str]) -> list[str]:
        """Sentences come again later on."""
        for i in self.some(said):
            said.insert(i + 1 + self.below(len(said) - i), said[i])
        return said

    def replaced(self, said: list[str]) -> list[str]:
        """A word of the topic gives way to a word of any topic."""
        for i in self.some(said):
            if known := [word for word in WORDS[self.topic] if word in said[i]]:
                said[i] = said[i].replace(self.pick(known), self.pick(WORDS[self.pick(list(WORDS))]), 1)
        return said

    def babbled(self, said: list[str]) -> list[str]:
        """Sentences drawn character by character from a 3-gram model of such articles."""
        while len(self.follows) < 1500:
            self.begin()
            text = self["s"] + self.sentence()
            for i in range(len(text) - 2):
                self.follows[text[i : i + 2]] = self.follows.get(text[i : i + 2], "") + text[i + 2]
        for i in self.some(said):
            text, length = self.pick(list(self.follows)), max(len(said[i]), 8)
            while len(text) < length:
                text += self.pick(self.follows.get(text[-2:]) or list(self.follows))
            said[i] = text.rstrip(BREAKS) + "。"
        return said

    def tampered(self, said: list[str]) -> list[str]:
        """In one way, seldom in two; again where that has changed nothing."""
        ways = (self.turned, self.swapped, self.mixed, self.repeated, self.replaced, self.babbled)
        found = said
        while found == said or self.random() < 0.15:
            found = ways[self.below(len(ways))](list(found))
        return found

    def title(self, said: list[str]) -> str:
        """The beginning of the article up to the first break."""
        text = "".join(said)
        return text[: min([at for mark in BREAKS if (at := text.find(mark)) > 0] + [24])]


def articles(n: int, seed: int = 0, first: int = 0) -> Iterator[Article]:
    """Generates `n` labelled articles, half of them tampered with; rows `first`, `first + 1`, … never share an id.

    The title is taken before the article is tampered with, so it differs from the beginning only where that was hit.
    """
    writer, machine, earlier = Writer(f"{seed}/{first}"), n // 2, ("", "", "")
    for row in range(n):
        tampered = writer.random() < machine / (n - row)  # of those left: exactly half in the end
        machine -= tampered
        label, said = LABELS[not tampered], writer.article()
        title = writer.title(said) if writer.random() < 0.98 else writer["item"]
        said = writer.tampered(said) if tampered else said
        if row % 97 == 96 and earlier[2] == label:
            title, content, _ = earlier  # now and then the same article twice
        else:
            title, content, _ = earlier = (title, "".join(said)[:LONGEST], label)
        number = (seed << 24) + first + row + 1
        yield Article(f"{number * 0x9E3779B97F4B % 2**48:012x}", title, content, label)  # odd factor: no repeats


def _save(path: Path, rows: Iterable[str]) -> None:
    """Writes under another name first, so that a file of this name is always whole."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8", newline="\n")
    os.replace(partial, path)


def write(folder: Path, train: int = 1200, test: int = 300, seed: int = 0) -> None:
    """Writes train.tsv and evaluation_public.tsv into `folder`, in the contest's form."""
    folder.mkdir(parents=True, exist_ok=True)
    _save(folder / "train.tsv", map("\t".join, articles(train, seed)))
    _save(folder / "evaluation_public.tsv", ("\t".join(a[:3]) for a in articles(test, seed, first=train)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the embedded sample of 360's contest.")
    parser.add_argument("folder", type=Path)
    for argument, default in (("train", 1200), ("test", 300), ("seed", 0)):
        parser.add_argument(argument, type=int, nargs="?", default=default)
    write(**vars(parser.parse_args()))
