from .backends.ctranslate2 import CTranslate2 as CTranslate2
from .backends.endpoint import Endpoint as Endpoint
from .backends.endpoint_kserve import KServeV1 as KServeV1, KServeV2 as KServeV2
from .backends.endpoint_openai import (
    OpenAIChat as OpenAIChat,
    OpenAICompletions as OpenAICompletions,
)
from .backends.endpoint_own import JsonTemplate as JsonTemplate, PydanticPayload as PydanticPayload
from .backends.endpoint_payload import EndpointPayload as EndpointPayload
from .backends.fake import Fake as Fake, Slowed as Slowed
from .backends.function import Function as Function
from .backends.lightgbm import LightGBM as LightGBM
from .backends.llama_cpp import LlamaCpp as LlamaCpp
from .backends.onnx import Onnx as Onnx
from .backends.onnx_genai import OnnxGenAI as OnnxGenAI
from .backends.openvino import OpenVino as OpenVino
from .backends.openvino_genai import OpenVinoGenAI as OpenVinoGenAI
from .backends.sklearn import Sklearn as Sklearn
from .backends.torch import Torch as Torch
from .backends.xgboost import XGBoost as XGBoost
from .errors import (
    BuildError as BuildError,
    GateBroken as GateBroken,
    UserError as UserError,
    WorkerError as WorkerError,
)
from .gates.result import Result as Result
from .metrics.accuracy import Accuracy as Accuracy
from .metrics.bleu import Bleu as Bleu
from .metrics.chrf import ChrF as ChrF
from .metrics.correlation import Pearson as Pearson, Spearman as Spearman
from .metrics.cosine import (
    Cosine as Cosine,
    CosineFraction as CosineFraction,
    CosineMin as CosineMin,
    StsSpearman as StsSpearman,
)
from .metrics.entities import EntityF1 as EntityF1, TokenAccuracy as TokenAccuracy
from .metrics.error_rate import Cer as Cer, Wer as Wer
from .metrics.exact_match import ExactMatch as ExactMatch
from .metrics.f1 import F1 as F1, F1Micro as F1Micro, F1Samples as F1Samples
from .metrics.ranking import Mrr as Mrr, Ndcg as Ndcg, Recall as Recall
from .metrics.regression import Mae as Mae, Rmse as Rmse
from .metrics.rouge import Rouge1 as Rouge1, Rouge2 as Rouge2, RougeL as RougeL
from .metrics.top_k import TopK as TopK
from .records.measure import Measure as Measure
from .records.record import Record as Record
from .run.run import Run as Run
from .run.variant import Variant as Variant
from .suite.backend import (
    Backend as Backend,
    Material as Material,
)
from .suite.codec import (
    ArrayCodec as ArrayCodec,
    Codec as Codec,
    TokenCodec as TokenCodec,
    TokenIdCodec as TokenIdCodec,
    WritingCodec as WritingCodec,
)
from .suite.loads import (
    ClosedLoop as ClosedLoop,
    MultiStream as MultiStream,
    Offline as Offline,
    OpenLoop as OpenLoop,
    Server as Server,
    SingleStream as SingleStream,
    Soak as Soak,
)
from .suite.metric import CorpusMetric as CorpusMetric, Metric as Metric
from .suite.payload import About as About, Answer as Answer, Payload as Payload
from .suite.perplexity import Perplexity as Perplexity
from .suite.runner import (
    Runner as Runner,
    ScoringRunner as ScoringRunner,
    StreamingRunner as StreamingRunner,
)
from .suite.samples import Samples as Samples
from .suite.serving import Serving as Serving
from .suite.suite import Suite as Suite, Sweep as Sweep
from .suite.task import Task as Task
from .tasks.classification import TextClassification as TextClassification
from .tasks.custom import Custom as Custom
from .tasks.data.hub import HubDataset as HubDataset
from .tasks.echo import Echo as Echo
from .tasks.embedding import Embedding as Embedding
from .tasks.generation import TextGeneration as TextGeneration
from .tasks.regression import TextRegression as TextRegression
from .tasks.retrieval import Retrieval as Retrieval
from .tasks.speech import SpeechRecognition as SpeechRecognition
from .tasks.tabular import (
    TabularClassification as TabularClassification,
    TabularRegression as TabularRegression,
)
from .tasks.text_to_text import TextToText as TextToText
from .tasks.tokens import TokenClassification as TokenClassification
from .tasks.translation import Translation as Translation
from .tasks.vision import ImageClassification as ImageClassification

__version__: str
