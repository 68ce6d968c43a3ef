"""DDEX ERN messages for the tests: a recording, a release and deals, in versions 4.3 and 3.8.2."""

from earmark.rights.use_types import UseMeaning

USE_TYPES = {
    "AiTraining": UseMeaning(scope="ai_training"),
    "PADPIDA2014021501L:AiTraining": UseMeaning(scope="ai_generative_training"),
    "NoMining": UseMeaning(scope="data_mining", permission="not_allowed"),
    "Inference": UseMeaning(scope="ai_inference", permission="constrained", constraints="no voices"),
}
LABEL = "<PartyId>PADPIDA2014021501L</PartyId><PartyName><FullName>Small Label</FullName></PartyName>"
ACME = "<PartyId>PADPIDA2020010102X</PartyId><PartyName><FullName>Acme AI</FullName></PartyName>"
PARTIES = (
    "<PartyList><Party><PartyReference>P1</PartyReference><PartyId><DPID>PADPIDA2014021501L</DPID></PartyId><PartyName>"
    "<FullName>Small Label</FullName></PartyName></Party><Party><PartyReference>P2</PartyReference><PartyName>"
    "<FullName>Jane Doe</FullName></PartyName></Party></PartyList>"
)
STREAMS = (
    "<DealTerms><TerritoryCode>Worldwide</TerritoryCode><ValidityPeriod><StartDate>2020-01-01</StartDate></ValidityPeriod>"
    "<CommercialModelType>SubscriptionModel</CommercialModelType><UseType>OnDemandStream</UseType>"
    "<UseType>ConditionalDownload</UseType></DealTerms>"
)


def header(message_id="MSG-1", created="2026-01-01T00:00:00Z", sender=LABEL):
    return (
        f"<MessageHeader><MessageThreadId>T</MessageThreadId><MessageId>{message_id}</MessageId><MessageSender>{sender}"
        f"</MessageSender><MessageRecipient>{ACME}</MessageRecipient><MessageCreatedDateTime>{created}"
        "</MessageCreatedDateTime></MessageHeader>"
    )


def controllers(*shares):
    return "".join(
        f"<ResourceRightsController><RightsControllerPartyReference>{party}</RightsControllerPartyReference>"
        f"<RightSharePercentage>{share}</RightSharePercentage></ResourceRightsController>"
        for party, share in shares
    )


def recording(ref="A1", isrc="GBAYE6800011", more=""):
    return (
        f"<SoundRecording><ResourceReference>{ref}</ResourceReference><Type>MusicalWorkSoundRecording</Type>"
        f"<SoundRecordingEdition><ResourceId><ISRC>{isrc}</ISRC></ResourceId><PLine><Year>2026</Year>"
        "<PLineText>2026 Small Label</PLineText></PLine></SoundRecordingEdition>"
        "<WorkId><ISWC>T0345246801</ISWC></WorkId>"
        f"<DisplayTitleText>Song &amp; {ref}</DisplayTitleText><DisplayArtistName>The Band</DisplayArtistName>{more}"
        "<Duration>PT3M35.2S</Duration></SoundRecording>"
    )


def release(ref="R0", upc="036000291452", resources=("A1",)):
    members = "".join(f"<ReleaseResourceReference>{each}</ReleaseResourceReference>" for each in resources)
    icpn = f"<ICPN>{upc}</ICPN>" if upc else "<ProprietaryId>x</ProprietaryId>"
    return (
        f"<Release><ReleaseReference>{ref}</ReleaseReference><ReleaseId>{icpn}</ReleaseId><ReleaseLabelReference>P1"
        f"</ReleaseLabelReference><ResourceGroup><ResourceGroupContentItem>{members}</ResourceGroupContentItem>"
        "</ResourceGroup></Release>"
    )


def terms(use_types='<UseType UserDefinedValue="AiTraining">UserDefined</UseType>', where=None, when=None, more=""):
    where = "<TerritoryCode>US</TerritoryCode><TerritoryCode>CA</TerritoryCode>" if where is None else where
    when = "<StartDate>2026-01-01</StartDate><EndDate>2026-12-31</EndDate>" if when is None else when
    return (
        f"<DealTerms>{where}<ValidityPeriod>{when}</ValidityPeriod><CommercialModelType UserDefinedValue='FlatFee'>"
        f"UserDefined</CommercialModelType>{use_types}{more}</DealTerms>"
    )


def message(
    *, recordings=None, releases=None, deals=(STREAMS,), refs=("R0",), version="43", root="NewReleaseMessage", head=None
):
    recordings = recording() if recordings is None else recordings
    releases = release() if releases is None else releases
    references = "".join(f"<DealReleaseReference>{ref}</DealReleaseReference>" for ref in refs)
    dealt = "".join(f"<Deal>{deal}</Deal>" for deal in deals)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ern:{root} xmlns:ern="http://ddex.net/xml/ern/{version}">'
        f"{head or header()}{PARTIES}<ResourceList>{recordings}"
        f"<Image><ResourceReference>A9</ResourceReference></Image></ResourceList>"
        f"<ReleaseList>{releases}</ReleaseList><DealList><ReleaseDeal>{references}{dealt}</ReleaseDeal></DealList>"
        f"</ern:{root}>"
    )


V382 = f"""<?xml version="1.0" encoding="UTF-8"?>
<ern:NewReleaseMessage xmlns:ern="http://ddex.net/xml/ern/382" MessageSchemaVersionId="ern/382">
{header()}
<ResourceList><SoundRecording><SoundRecordingId><ISRC>GB-AYE-68-00011</ISRC></SoundRecordingId>
<IndirectSoundRecordingId><ISWC>T-034.524.680-1</ISWC></IndirectSoundRecordingId>
<ResourceReference>A1</ResourceReference><ReferenceTitle><TitleText>Song</TitleText></ReferenceTitle>
<Duration>PT0H3M35S</Duration>
<SoundRecordingDetailsByTerritory><TerritoryCode>Worldwide</TerritoryCode>
<DisplayArtist><PartyName><FullName>The Band</FullName></PartyName></DisplayArtist>
<DisplayArtist><PartyName><FullName>A Guest</FullName></PartyName></DisplayArtist>
<RightsController>{LABEL}<RightSharePercentage>100</RightSharePercentage></RightsController>
<PLine><Year>2026</Year><PLineText>2026 Small Label</PLineText></PLine></SoundRecordingDetailsByTerritory>
<SoundRecordingDetailsByTerritory><TerritoryCode>FR</TerritoryCode>
<RightsController><PartyName><FullName>French Label</FullName></PartyName></RightsController>
</SoundRecordingDetailsByTerritory></SoundRecording></ResourceList>
<ReleaseList><Release IsMainRelease="true"><ReleaseId><ICPN IsEan="false">036000291452</ICPN></ReleaseId>
<ReleaseReference>R0</ReleaseReference><ReleaseResourceReferenceList><ReleaseResourceReference>A1
</ReleaseResourceReference></ReleaseResourceReferenceList><ReleaseDetailsByTerritory><TerritoryCode>Worldwide
</TerritoryCode><LabelName>Small Label</LabelName></ReleaseDetailsByTerritory></Release></ReleaseList>
<DealList><ReleaseDeal><DealReleaseReference>R0</DealReleaseReference><Deal><DealTerms>
<CommercialModelType>SubscriptionModel</CommercialModelType><Usage><UseType>Stream</UseType>
<UseType Namespace="X" UserDefinedValue="AiTraining">UserDefined</UseType></Usage><TerritoryCode>Worldwide
</TerritoryCode><ValidityPeriod><StartDate>2026-01-01</StartDate></ValidityPeriod></DealTerms></Deal></ReleaseDeal>
</DealList></ern:NewReleaseMessage>"""
