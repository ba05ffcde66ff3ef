"""Groups of Chinese characters that sound alike, and groups that look alike."""

# Written by hand: common errors of typing with pinyin, of handwriting and of OCR.
SOUND = (
    "的地得 在再 做作坐座 他她它 那哪 己以已 向像象 带戴代待 常长尝 会汇回 是事式试市 进近尽 园圆元员原 即既及急 "
    "必毕 分份纷 练炼 度渡 复付负副 到道 买卖 由有又 工公功 前钱 心新 气汽 只支枝 应映 决绝 化话画 建件 收受 须需 "
    "记纪计 名明 声生升 利力立历 记际 清青轻 成城程 具据 提题 意义议 因音 消销 布部步 帐账 辩辨 响想 欢换 经精 检捡 "
    "该改 传船 竞竟 密秘 省剩 州洲 到倒 拔拨 晓小 副富 形型行 里理 知之 几机 合和 交教 其期 每美 半办 起启"
)
SHAPE = (
    "未末 土士 日曰 千干于 人入八 天夭 大太犬 己已巳 刀力 王玉主 目且 午牛 刃刀 贝见 今令 田由甲申 夫失 侯候 治冶 "
    "晴睛 幕墓募慕 析折拆 稍梢 遣遗 暮幕 徒徙 赢羸 崇祟 祸锅 栗粟 戊戌戍 历厉 准淮 没设 线钱 休体 住往 处外 买实 "
    "很狠 要耍 鸟乌 兔免 风凤 问间 名各 师帅 历压 科料 拌伴 特持 诗待 便使 免兔 请清 快块 跳桃 抱饱 吹次"
)


def groups(text: str) -> dict[str, str]:
    """Character → the others in its group; groups in `text` are separated by spaces."""
    found: dict[str, dict[str, None]] = {}
    for group in text.split():
        for character in group:
            found.setdefault(character, {}).update((c, None) for c in group if c != character)
    return {character: "".join(others) for character, others in found.items()}
